"""Checkpoints are read without unrestricted unpickling, and nothing is believed.

`torch.load(weights_only=True)` alone cannot read what MMEngine writes (the log history
and numpy values), and lets a file of a few bytes ask for a terabyte. Here `torch.load`
reads with :mod:`repflow_mm.checkpoint.unpickler`, which says what the pickle inside may
say, and sizes are held to the file's own before anything is allocated.
"""

import io
import os
import pickle
import struct
import zipfile
from contextlib import nullcontext
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import torch

from repflow_mm.checkpoint.pickled_names import Refused, require, show
from repflow_mm.checkpoint.unpickler import DeviceError, PickleModule
from repflow_mm.errors import InputError, MissingFileError

_FORCED = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'

# What the readers of a damaged file stumble on.
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    pickle.UnpicklingError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
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
            it has run), claims more than it holds, or is not a readable checkpoint.
        RuntimeError: If its weights cannot be where they are wanted, or if
            `TORCH_FORCE_WEIGHTS_ONLY_LOAD` is set.
    """
    if os.getenv(_FORCED, '').lower() in ('1', 'y', 'yes', 'true'):
        raise RuntimeError(
            f'unset {_FORCED} to load checkpoints: with it torch.load reads none of '
            "MMEngine's; what they may hold is as restricted without it"
        )
    if isinstance(file, (str, PathLike)):
        file = Path(file).expanduser()
        if not file.is_file():
            raise MissingFileError(f'there is no checkpoint at {file}')
    opened = file.open('rb') if isinstance(file, Path) else nullcontext(file)
    try:
        with opened as stream:
            checkpoint = _read(stream, map_location)
    except Refused as error:
        raise InputError(f'checkpoint {file} is refused: {error}') from error
    except DeviceError as error:
        raise error.__cause__ from None
    except _UNREADABLE as error:
        what = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise InputError(
            f'checkpoint {file} cannot be read, it is truncated or no file of '
            f'torch.save ({what}): copy it again, or take an earlier one'
        ) from error
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        meta['config_text'] = meta.pop('config')
    return checkpoint


def _read(file: BinaryIO, map_location: Any) -> Any:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if file.read(4) == b'PK\3\4':
        module = PickleModule(size, _check_zip(file, size))
    else:
        module = PickleModule(size)
        file.seek(0)
        # In memory no read can ask for more than there is, and torch tries no tar.
        file = io.BytesIO(file.read())
    file.seek(0)
    return torch.load(
        file, map_location, pickle_module=module, weights_only=False, mmap=False
    )


def _check_zip(file: BinaryIO, size: int) -> dict[str, int]:
    """The sizes of its storages, once nothing of it can surprise torch's reader."""
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        # torch's reader takes upper case for lower.
        records = {info.orig_filename.lower(): info.file_size for info in infos}
        require(len(records) == len(infos), 'two of its records have one name')
        plain = all(i.compress_type == zipfile.ZIP_STORED for i in infos)
        plain = plain and not any(i.flag_bits & 1 for i in infos)
        require(
            plain,
            'a record is compressed or encrypted, which torch.save never does: '
            'a few bytes could unfold into gigabytes',
        )
        inside = all(0 <= i.header_offset < size for i in infos)
        require(inside, 'a record starts outside the file')
        claimed = sum(records.values())
        require(
            claimed <= size, f'its records claim {claimed} bytes, and it has {size}'
        )
        script = any(name.endswith('constants.pkl') for name in records)
        require(not script, 'it is a TorchScript program: save its state_dict instead')
        damaged = archive.testzip()
        if damaged is not None:
            raise InputError(f'its record {show(damaged)} is damaged')
        same = _directory(file, size) == archive.start_dir
        require(same, 'it has two lists of records')
    folder = infos[0].orig_filename.partition('/')[0].lower() + '/data/'
    sizes = {name.removeprefix(folder): records[name] for name in records}
    return {key: sizes[key] for key in sizes if key.isascii()}


def _directory(file: BinaryIO, size: int) -> int | None:
    """Where a zip says its list of records starts; Python looks where it ends.

    torch reads there; before 2.10 it trusts that records are as large as the pickle
    says, which :func:`_check_zip` must then know of the same records.
    """
    file.seek(-min(98, size), io.SEEK_END)
    tail = file.read().rjust(98, b'\0')
    found = struct.unpack('<4s44xQ 4s4xQ4x 4s12xLH', tail)
    large, large_start, locator, located, end, start, comment = found
    if end != b'PK\5\6' or comment:
        return None
    if locator != b'PK\6\7':
        return start
    return large_start if (large, located) == (b'PK\6\6', size - 98) else None


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
        try:
            torch.hub.download_url_to_file(url, str(path), progress=progress)
        except (OSError, HTTPException) as error:
            raise InputError(f'checkpoint {url} cannot be fetched: {error}') from None
    return load_checkpoint(path, map_location)
