"""Checkpoints load without unrestricted unpickling.

`torch.load(weights_only=True)` alone cannot read what MMEngine writes: its
checkpoints carry the log history, whose pickle calls `getattr`, and numpy
values. Here exactly those are let in, `getattr` as a function that knows four
names; anything else in a file is refused by name and nothing of it runs.
"""

import pickle
import re
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

try:
    from numpy._core.multiarray import _reconstruct, scalar
except ModuleNotFoundError:  # numpy < 2
    from numpy.core.multiarray import _reconstruct, scalar


def _getattr(owner: Any, name: str) -> Any:
    """Stands in for `getattr`: the statistics a `HistoryBuffer` refers to."""
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'GLOBAL builtins.getattr({owner!r}, {name!r})')


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for `_codecs.encode`: how protocol 2 writes bytes."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'GLOBAL _codecs.encode(..., {encoding!r})')
    return text.encode('latin1')


def _bytes() -> bytes:
    """Stands in for `bytes`: how protocol 2 writes the data of an empty array."""
    return b''


_SAFE_GLOBALS = [
    HistoryBuffer,
    (_getattr, 'builtins.getattr'),
    (_bytes, 'builtins.bytes'),
    (_encode, '_codecs.encode'),
    np.ndarray,
    np.dtype,
    # numpy renamed its core: files of either name load on either version.
    (_reconstruct, 'numpy.core.multiarray._reconstruct'),
    (_reconstruct, 'numpy._core.multiarray._reconstruct'),
    (scalar, 'numpy.core.multiarray.scalar'),
    (scalar, 'numpy._core.multiarray.scalar'),
    *{type(np.dtype(code)) for code in '?bBhHiIlLqQefdgFDSU'},
]


def load_checkpoint(file: str | PathLike | BinaryIO, map_location: Any = None) -> Any:
    """Load a checkpoint: tensors, plain Python, numpy, MMEngine's logs.

    Args:
        file (str | PathLike | BinaryIO): What `torch.save` wrote, zip or older.
        map_location: As for `torch.load`.

    Returns:
        Any: What was saved. A configuration in `meta['config']` moves to
        `meta['cfg']`: MMEngine's `resume` would execute it as Python.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else (its global is named, nothing of
            it has run), or is not a readable checkpoint.
    """
    if isinstance(file, (str, PathLike)):
        file = Path(file).expanduser()
        if not file.is_file():
            raise FileNotFoundError(f'there is no checkpoint at {file}')
    try:
        with torch.serialization.safe_globals(_SAFE_GLOBALS):
            checkpoint = torch.load(file, map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(file, str(error))) from error
    except Exception as error:  # garbage can trip the parser anywhere
        what = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'checkpoint {file} cannot be read, it is truncated or no file of '
            f'torch.save ({what}): copy it again, or take an earlier one'
        ) from error
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        config = meta.pop('config')
        meta.setdefault('cfg', config)
    return checkpoint


def _refusal(file: Any, error: str) -> str:
    forbidden = re.search(r'GLOBAL (\S+\(.*\)|\S+)', error)
    if forbidden is None:
        return f'checkpoint {file} is refused: {error.splitlines()[0]}'
    return (
        f'checkpoint {file} is refused: it pickles {forbidden[1]}, which weights '
        'do not need and which could run code; nothing of it was executed. Ask '
        'its author for a checkpoint of plain tensors (a state_dict)'
    )


def load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
) -> Any:
    """Download a checkpoint once, then load it by :func:`load_checkpoint`.

    Takes the place of `torch.utils.model_zoo.load_url`, which unpickles without
    restriction.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    path = folder / Path(urlparse(url).path).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=progress)
    return load_checkpoint(path, map_location)
