"""Safe loading of untrusted checkpoints: no code runs, and sizes are verified.

`torch.load(weights_only=True)` reads them, after the archive and the names in its
pickle are checked. Zip files are memory-mapped: a tensor is a view of the file, so it
cannot be larger than the file.
"""

import io
import pickle
import struct
import tempfile
import zipfile
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import torch

from repflow_mm.checkpoint import safetensors_file
from repflow_mm.checkpoint.archive import Refused, checked_pickle
from repflow_mm.checkpoint.pickled import check_names, finished, stand_ins
from repflow_mm.errors import InputError, MissingFileError

# Errors that a damaged file can raise in the readers.
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
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
        file (str | PathLike | BinaryIO): A file written by `torch.save`, as a zip or in
            the format before PyTorch 1.6, or a `.safetensors` file.
        map_location: Ignored; accepted because MMEngine passes it. Tensors are read
            into host memory, and callers copy them to their device.

    Returns:
        Any: The saved object; for a `.safetensors` file a dict of `state_dict` and
        `meta`. A configuration in `meta['config']` is moved to `meta['config_text']`,
        because MMEngine's `resume` would execute it as Python.

    Raises:
        MissingFileError: If there is no such file.
        InputError: If it holds any other object (named in the message, not executed),
            claims more than it holds, or is not a readable checkpoint.
    """
    if not isinstance(file, (str, PathLike)):
        with tempfile.TemporaryDirectory() as folder:  # mapping needs a path
            path = Path(folder) / 'checkpoint.pth'
            path.write_bytes(file.read())
            return load_checkpoint(path)
    file = Path(file).expanduser()
    if not file.is_file():
        raise MissingFileError(f'there is no checkpoint at {file}')
    if file.suffix == '.safetensors':
        return safetensors_file.read(file)
    try:
        checkpoint = _read(file)
    except Refused as error:
        raise InputError(f'checkpoint {file} is refused: {error}') from error
    except _UNREADABLE as error:
        what = (str(error) or type(error).__name__).splitlines()[0][:200]
        if isinstance(error, pickle.UnpicklingError):  # torch advises to trust the file
            what = 'its pickle is malformed'
        raise InputError(
            f'checkpoint {file} cannot be read: it is truncated, damaged or not '
            f'written by torch.save ({what}); copy it again, or use an earlier one'
        ) from error
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict) and 'config' in meta:
        meta['config_text'] = meta.pop('config')
    return checkpoint


def _read(path: Path) -> Any:
    with path.open('rb') as file:
        zipped = file.read(4) == b'PK\3\4'
        if zipped:
            source = path
            check_names(io.BytesIO(checked_pickle(file)))
        else:
            file.seek(0)
            source = io.BytesIO(file.read())
            for _ in range(5):  # three headers, the content, the list of storages
                check_names(source)
            source.seek(0)
    with stand_ins():
        content = torch.load(source, 'cpu', weights_only=True, mmap=zipped)
    if not zipped and source.read(1):
        raise Refused('it holds more data than its list of storages declares')
    return finished(content, path.stat().st_size)


def load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
) -> Any:
    """Download a checkpoint once, then load it by :func:`load_checkpoint`.

    Replaces `torch.utils.model_zoo.load_url`, which unpickles without restriction.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    path = folder / Path(urlparse(url).path).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=progress)
        except (OSError, HTTPException) as error:
            raise InputError(f'checkpoint {url} cannot be fetched: {error}') from None
    return load_checkpoint(path)
