"""Atomic writing: a reader finds the old file or the new one, never a part of it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from repflow_mm.errors import OutputError

_UNFINISHED = '.part'


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends without error.

    Args:
        path (str | os.PathLike): The file to write; its folder is made.

    Yields:
        Path: Where to write. What is there is removed if the block raises.

    Raises:
        OutputError: If the file cannot be written; an older file of that name is kept.
    """
    path = Path(path)
    # The suffix stays last: writers tell the format by it.
    unfinished = path.with_name(f'.{path.stem}{_UNFINISHED}{path.suffix}')
    check_folder(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(0, 'it is a folder')
        yield unfinished
        with unfinished.open('rb+') as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        if os.name == 'posix':  # the new name has to reach the disk as well
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        if error.filename not in (None, str(unfinished), str(path), str(path.parent)):
            raise  # of another file
        raise OutputError(
            f'{path} cannot be written ({error.strerror or error}); a file that was '
            'there before is unchanged'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def check_folder(folder: str | os.PathLike) -> None:
    """Fail before the work is done, not when its results are lost.

    Args:
        folder (str | os.PathLike): Where files are to be written; it need not be there.

    Raises:
        OutputError: If it cannot be made, or nothing can be written into it.
    """
    there = Path(folder).absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise OutputError(
            f'cannot write into {folder}: {there} is a file, not a folder'
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f'cannot write into {folder}: no permission for {there}')


def check_file(path: str | os.PathLike) -> None:
    """The same for one file, which may be there already but must not be a folder."""
    if Path(path).is_dir():
        raise OutputError(f'{path} is a folder: name a file in it')
    check_folder(Path(path).parent)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file atomically; see :func:`atomic_path` for what it raises."""
    with atomic_path(path) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: str | os.PathLike, content: str) -> None:
    """Write UTF-8 text atomically, with the line ends that it has."""
    write_bytes(path, content.encode('utf-8'))


def is_unfinished(name: str) -> bool:
    """Whether a file name is that of a write that was interrupted."""
    return name.startswith('.') and _UNFINISHED in name
