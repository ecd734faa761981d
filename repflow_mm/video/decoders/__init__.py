"""The decoders one can choose from, all with the same frames under the same numbers.

Each opens a file by its path, never from bytes: from bytes, decord and decord2 (3.4.0)
crash on a truncated AVI.
"""

from collections.abc import Callable
from importlib.util import find_spec

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
"""What each imports."""

AUTO = ('pyav', 'decord', 'opencv')
"""Those that `'auto'` tries, fastest first. All four are FFmpeg's decoders inside, and
torchcodec takes seconds and PyTorch's memory to start: it has to be asked for."""

DECODERS = ('auto', *CLASSES)
"""What one can choose."""


def installed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the decoders whose module is there."""
    return tuple(name for name in names if find_spec(MODULES[name]))


__all__ = [
    'AUTO',
    'CLASSES',
    'DECODERS',
    'MODULES',
    'Decoder',
    'Index',
    'MissingFrameError',
    'VideoError',
    'installed',
]
