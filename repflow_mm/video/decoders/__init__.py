"""The available decoders, all of which number frames identically.

Each opens a file by its path, never from bytes: from bytes, decord and decord2 (3.4.0)
crash on a truncated AVI.
"""

from collections.abc import Callable
from importlib.util import find_spec

from repflow_mm.errors import InputError
from repflow_mm.video.decoders.base import Decoder, VideoError
from repflow_mm.video.decoders.decord import Decord
from repflow_mm.video.decoders.index import Index, MissingFrameError
from repflow_mm.video.decoders.opencv import OpenCV
from repflow_mm.video.decoders.pyav import PyAV
from repflow_mm.video.decoders.torchcodec import TorchCodec

CLASSES: dict[str, Callable[..., Decoder]] = dict(
    pyav=PyAV, decord=Decord, opencv=OpenCV, torchcodec=TorchCodec
)
"""Decoders by name."""

MODULES = dict(pyav='av', decord='decord', opencv='cv2', torchcodec='torchcodec')
"""The module that each imports."""

AUTO = ('pyav', 'decord', 'opencv')
"""The decoders tried by `'auto'`, fastest first. All four use FFmpeg, and torchcodec
takes seconds and PyTorch's memory to start: it has to be chosen explicitly."""

DECODERS = ('auto', *CLASSES)
"""The valid choices."""


def candidates(decoder: str) -> tuple[str, ...]:
    """The decoders to try for a choice, in order.

    Args:
        decoder (str): One of `DECODERS`.

    Returns:
        tuple[str, ...]: At least one, all of them installed.

    Raises:
        InputError: If the decoder is unknown or not installed.
    """
    if decoder not in DECODERS:
        raise InputError(
            f'decoder must be one of {", ".join(DECODERS)}, got {decoder!r}'
        )
    names = AUTO if decoder == 'auto' else (decoder,)
    found = tuple(name for name in names if find_spec(MODULES[name]))
    if not found:
        raise InputError(
            f'the decoder {decoder} needs the module {MODULES[names[0]]}, which is not '
            'installed: install it, or choose another decoder'
        )
    return found


__all__ = [
    'CLASSES',
    'DECODERS',
    'Decoder',
    'Index',
    'MissingFrameError',
    'VideoError',
    'candidates',
]
