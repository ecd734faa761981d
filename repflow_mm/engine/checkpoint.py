"""Checkpoints load without unrestricted unpickling.

`torch.load(weights_only=True)` alone cannot read what MMEngine writes: its
checkpoints carry the log history, whose pickle calls `getattr`, and numpy values.
Here exactly those are let in, each through a stand-in that checks what it is given:
numpy's own functions would build arrays of object pointers out of a file's bytes.
Anything else is refused by name, and nothing of it runs.
"""

import pickle
import re
import struct
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class _Refused(pickle.UnpicklingError):
    """Raised by the stand-ins; reads like what torch says of a global."""

    def __init__(self, what: str) -> None:
        super().__init__(f'GLOBAL {what}')


class _NdarrayName:
    """What the name `numpy.ndarray` means in a file: a word, not a constructor."""


class _Dtype:
    """A dtype as pickled: a code, then a byte order; nothing structured."""

    def __init__(self, code: str, *flags) -> None:
        if not re.fullmatch(r'[?bBhHiIlLqQefdg]|[biufSU]\d+|O8?', str(code)):
            raise _Refused(f'numpy.dtype({code!r})')
        self.code, self.order = code, '='

    def __setstate__(self, state: tuple) -> None:
        _, order, *structure = state[:5]
        if order not in ('<', '>', '=', '|') or structure != [None, None, None]:
            raise _Refused(f'numpy.dtype with state {state!r}')
        self.order = order.replace('|', '=')

    def real(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """An array as pickled; :func:`_plain` puts the array in its place."""

    def __init__(self, *args) -> None:
        self.value = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        if isinstance(data, list):  # Python objects, unpickled one by one
            flat = np.empty(len(data), dtype=object)
            flat[:] = [_plain(item) for item in data]
        elif dtype.code[0] == 'O':
            raise _Refused('numpy.ndarray of raw object pointers')
        else:
            flat = np.frombuffer(data, dtype.real()).copy()
        self.value = flat.reshape(shape, order='F' if fortran else 'C')


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    if dtype.code[0] == 'O':
        raise _Refused('numpy scalar of a raw object pointer')
    (value,) = np.frombuffer(data, dtype.real())
    return value


def _getattr(owner: Any, name: str) -> Any:
    """`getattr`, for the statistics that a `HistoryBuffer` refers to."""
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    raise _Refused(f'builtins.getattr({owner!r}, {name!r})')


def _encode(text: str, encoding: str) -> bytes:
    """`_codecs.encode`: how protocol 2 writes bytes."""
    if encoding != 'latin1':
        raise _Refused(f'_codecs.encode(..., {encoding!r})')
    return text.encode('latin1')


def _bytes() -> bytes:
    """`bytes`: how protocol 2 writes the data of an empty array."""
    return b''


_SAFE_GLOBALS = [
    HistoryBuffer,
    (_getattr, 'builtins.getattr'),
    (_bytes, 'builtins.bytes'),
    (_encode, '_codecs.encode'),
    (_NdarrayName, 'numpy.ndarray'),
    (_Dtype, 'numpy.dtype'),
    # numpy renamed its core: files of either name load on either version.
    (_Array, 'numpy.core.multiarray._reconstruct'),
    (_Array, 'numpy._core.multiarray._reconstruct'),
    (_scalar, 'numpy.core.multiarray.scalar'),
    (_scalar, 'numpy._core.multiarray.scalar'),
]


def _plain(value: Any) -> Any:
    """The value with arrays in place of their stand-ins."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, _Dtype):
        return value.real()
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _plain(item)
    elif isinstance(value, list):
        value[:] = [_plain(item) for item in value]
    elif type(value) is tuple:
        return tuple(_plain(item) for item in value)
    elif isinstance(value, HistoryBuffer):
        value.__dict__ = _plain(value.__dict__)
    return value


# What the parser of a damaged file stumbles on.
_UNREADABLE = (
    RuntimeError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    struct.error,
)


def load_checkpoint(file: str | PathLike | BinaryIO, map_location: Any = None) -> Any:
    """Load a checkpoint: tensors, plain Python, numpy, MMEngine's logs.

    Args:
        file (str | PathLike | BinaryIO): What `torch.save` wrote, zip or older.
        map_location: As for `torch.load`.

    Returns:
        Any: What was saved. A configuration in `meta['config']` moves to
        `meta['config_text']`: MMEngine's `resume` would execute it as Python.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else (its global is named, nothing of
            it has run), or is not a readable checkpoint.
    """
    if isinstance(file, (str, PathLike)):
        file = Path(file).expanduser()
        if not file.is_file():
            raise FileNotFoundError(f'there is no checkpoint at {file}')
    others = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(_SAFE_GLOBALS)
    try:
        checkpoint = _plain(torch.load(file, map_location, weights_only=True))
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(file, str(error))) from error
    except _UNREADABLE as error:
        if isinstance(error, RuntimeError) and 'archive' not in str(error):
            raise  # such as CUDA weights without map_location: torch says it well
        what = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'checkpoint {file} cannot be read, it is truncated or no file of '
            f'torch.save ({what}): copy it again, or take an earlier one'
        ) from error
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(others)
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        meta['config_text'] = meta.pop('config')
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
