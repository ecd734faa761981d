"""Validation of a checkpoint's zip archive before torch reads it.

Records must be uncompressed, unique, undamaged and no larger than the file, and
Python's reader and torch's must find the same ones.
"""

import io
import struct
import zipfile
from typing import BinaryIO


class Refused(ValueError):
    """A checkpoint that is not safe to load; the message follows "is refused: "."""


def require(condition: bool, otherwise: str) -> None:
    """Refuse a file unless a condition holds."""
    if not condition:
        raise Refused(otherwise)


def checked_pickle(file: BinaryIO) -> bytes:
    """The pickle in a checkpoint, after validating its archive.

    Args:
        file (BinaryIO): A zip as `torch.save` writes it.

    Returns:
        bytes: The record that `torch.load` unpickles.

    Raises:
        Refused: If a record is compressed, duplicated or damaged, if records claim
            more than the file holds, or if it is TorchScript.
        zipfile.BadZipFile: If it is not a zip file.
    """
    size = file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        # torch's reader ignores case.
        names = {info.orig_filename.lower() for info in infos}
        require(len(names) == len(infos), 'two of its records have the same name')
        require(
            all(info.compress_type == zipfile.ZIP_STORED for info in infos),
            'a record is compressed, which torch.save never does: a few bytes could '
            'expand to gigabytes',
        )
        claimed = sum(info.file_size for info in infos)
        require(
            claimed <= size, f'its records claim {claimed} bytes, and it has {size}'
        )
        script = any(name.endswith('constants.pkl') for name in names)
        require(not script, 'it is a TorchScript program: save its state_dict instead')
        require(
            _directory(file, size) == archive.start_dir, 'it has two lists of records'
        )
        damaged = archive.testzip()
        require(damaged is None, f'its record {str(damaged)[:60]!r} is damaged')
        folder = infos[0].orig_filename.partition('/')[0]
        return archive.read(f'{folder}/data.pkl')


def _directory(file: BinaryIO, size: int) -> int | None:
    """The stated offset of a zip's central directory, where torch reads it.

    Python instead reads the directory that ends where the end record begins.
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
