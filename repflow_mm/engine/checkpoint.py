"""Checkpoints are read without unrestricted unpickling, and nothing is believed.

`torch.load(weights_only=True)` alone cannot read what MMEngine writes (the log history
and numpy values), and lets a file of a few bytes ask for a terabyte. Here
:mod:`repflow_mm.engine.safe_pickle` says what the pickle inside may say, and sizes are
held to the file's own before anything is allocated.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import torch

from repflow_mm.engine.safe_pickle import Refused, Storage, Unpickler

_CHUNK = 1 << 24

# What the parser of a damaged file stumbles on.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
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
    """
    if isinstance(file, (str, PathLike)):
        file = Path(file).expanduser()
        if not file.is_file():
            raise FileNotFoundError(f'there is no checkpoint at {file}')
    opened = file.open('rb') if isinstance(file, Path) else nullcontext(file)
    try:
        with opened as stream:
            checkpoint = _read(stream, map_location)
    except Refused as error:
        raise ValueError(f'checkpoint {file} is refused: {error}') from error
    except _UNREADABLE as error:
        what = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise ValueError(
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
    zipped = file.read(4) == b'PK\3\4'
    file.seek(0)
    if not zipped:
        return _read_legacy(_Bounded(file, size), size, map_location)
    with zipfile.ZipFile(file) as archive:
        return _read_zip(archive, size, map_location)


class _Bounded:
    """A file that cannot be asked for more than it has: Python would allocate it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def read(self, count: int) -> bytes:
        if count > self.size - self.file.tell():
            raise EOFError('it ends early')
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline(1000)


def _read_zip(archive: zipfile.ZipFile, size: int, map_location: Any) -> Any:
    """The format since PyTorch 1.6: a pickle, and a record for each storage.

    Python's reader also checks each record's checksum.
    """
    records = {info.filename: info for info in archive.infolist()}
    if len(records) < len(archive.infolist()):
        raise Refused('two of its records have one name')
    for name, info in records.items():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise Refused(
                f'its record {_show(name)} is compressed or encrypted, which '
                'torch.save never does: a few bytes could unfold into gigabytes'
            )
        if not 0 <= info.header_offset < size:
            raise Refused(f'its record {_show(name)} starts outside the file')
    claimed = sum(info.file_size for info in records.values())
    if claimed > size:
        raise Refused(f'its records claim {claimed} bytes, and it has {size}')
    roots = [name[:-8] for name in records if name.endswith('/data.pkl')]
    if len(roots) != 1:
        raise ValueError(f'it has {len(roots)} records named data.pkl')
    (root,) = roots
    if f'{root}constants.pkl' in records:
        raise Refused('it is a TorchScript program: save its state_dict instead')
    order = f'{root}byteorder'
    if order in records and archive.read(order) != b'little':
        raise Refused('it was written on a machine of the other byte order')
    loaded: dict[str, torch.UntypedStorage] = {}

    def storage(dtype: torch.dtype, key: str, location: str, numel: int) -> Storage:
        record = records.get(f'{root}data/{key}')
        if record is None or numel * dtype.itemsize != record.file_size:
            raise Refused(f'its storage {_show(key)} is not there, or of another size')
        if key not in loaded:
            data = _bytes(record.file_size)
            with archive.open(record) as stream:
                _fill(data, stream.read)
            loaded[key] = _place(data, location, map_location)
        return Storage(loaded[key], dtype)

    return Unpickler(io.BytesIO(archive.read(f'{root}data.pkl')), storage, size).load()


def _read_legacy(file: _Bounded, size: int, map_location: Any) -> Any:
    """The format before: five pickles, then the storages one after the other."""

    def none(*_) -> Storage:
        raise ValueError('a tensor where none belongs')

    magic, version, system = (Unpickler(file, none, size).load() for _ in range(3))
    if (magic, version) != (0x1950A86A20F9469CFC6C, 1001):
        raise ValueError('it does not start as one')
    if system.get('little_endian') is not True:
        raise Refused('it was written on a machine of the other byte order')
    loaded: dict[str, tuple[torch.UntypedStorage, Storage]] = {}
    left = size

    def storage(
        dtype: torch.dtype, key: str, location: str, numel: int, view: None = None
    ) -> Storage:
        nonlocal left
        if view is not None:
            raise Refused('it has a storage that is part of another')
        if key not in loaded:
            count = numel * dtype.itemsize
            if not 0 <= count <= left:
                raise Refused(f'its storages claim more than its {size} bytes')
            left -= count
            data = _bytes(count)
            loaded[key] = data, Storage(_place(data, location, map_location), dtype)
        return Storage(loaded[key][1].data, dtype)

    content = Unpickler(file, storage, size).load()
    keys = Unpickler(file, none, size).load()
    if sorted(keys) != sorted(loaded):
        raise ValueError('its list of storages is not that of its tensors')
    for key in keys:
        data, placed = loaded[key]
        (numel,) = struct.unpack('<q', file.read(8))
        if numel * placed.dtype.itemsize != data.nbytes():
            raise ValueError(f'storage {_show(key)} is of another size')
        _fill(data, file.read)
        if placed.data is not data:
            placed.data.copy_(data)
    return content


def _show(name: str | int | None) -> str:
    """What a file calls something, on one line."""
    return repr(str(name)[:60])


def _bytes(count: int) -> torch.UntypedStorage:
    return torch.empty(count, dtype=torch.uint8).untyped_storage()


def _fill(data: torch.UntypedStorage, read: Callable[[int], bytes]) -> None:
    count = data.nbytes()
    array = torch.empty(0, dtype=torch.uint8).set_(data).numpy()
    for start in range(0, count, _CHUNK):
        chunk = read(min(_CHUNK, count - start))
        array[start : start + len(chunk)] = memoryview(chunk)
        if len(chunk) < min(_CHUNK, count - start):
            raise EOFError('it ends early')


def _place(
    data: torch.UntypedStorage, location: str, map_location: Any
) -> torch.UntypedStorage:
    """Where `torch.load` would put it."""
    if callable(map_location):
        moved = map_location(data, location)
        if moved is not None:
            return moved
    elif isinstance(map_location, dict):
        location = map_location.get(location, location)
    elif map_location is not None:
        location = str(map_location)
    try:
        known = torch.device(str(location)).type != 'meta' or map_location is not None
    except RuntimeError:
        known = False
    if not known:
        raise Refused(f'its weights are for a device {_show(location)}')
    return torch.serialization.default_restore_location(data, location)


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
