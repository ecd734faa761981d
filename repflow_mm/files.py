"""Atomic writing: readers see either the old file or the complete new one."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from repflow_mm.errors import OutputError

_UNFINISHED = '.part'
_OF_FILES = (
    *(errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EISDIR),
    *(errno.EINVAL, errno.ENODEV, errno.ENOSPC, errno.ENOTCONN, errno.ENXIO),
    *(errno.EPERM, errno.EROFS, errno.ESTALE),
)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike, shared: bool = False) -> Iterator[Path]:
    """A temporary path next to `path`, renamed to it if the block succeeds.

    Args:
        path (str | os.PathLike): The file to write; its folder is created if missing.
        shared (bool): Whether several processes may write the file at the same time;
            the last one wins. Defaults to False.

    Yields:
        Path: The temporary path, removed if the block raises.

    Raises:
        OutputError: If the file cannot be written; an existing file is left unchanged.
    """
    path = Path(path)
    # Keep the suffix: writers infer the format from it.
    owner = f'-{uuid4().hex}' if shared else ''
    unfinished = path.with_name(f'.{path.stem}{_UNFINISHED}{owner}{path.suffix}')
    check_folder(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, 'it is a folder')
        yield unfinished
        with unfinished.open('rb+') as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        if os.name == 'posix':  # sync the renaming as well
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        ours = str(unfinished), str(path), str(path.parent)
        # Writing to a file that is open fails without a name; so does a download.
        nameless = error.filename is None and error.errno in _OF_FILES
        if error.filename not in ours and not (nameless and _is_plain(error)):
            raise  # about something else
        raise OutputError(
            f'{path} cannot be written ({error.strerror or error}); an existing file '
            'is unchanged'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _is_plain(error: OSError) -> bool:
    """Whether an error is the system's own; those of ssl and sockets number anew."""
    return type(error).__module__ == 'builtins'


def check_folder(folder: str | os.PathLike) -> None:
    """Check that a folder is writable, to fail before rather than after the work.

    Args:
        folder (str | os.PathLike): The output folder, which need not exist.

    Raises:
        OutputError: If the folder cannot be created or is not writable.
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


def check_file(
    path: str | os.PathLike, source: str | os.PathLike | None = None
) -> None:
    """The same for one file; it may be there already, but not as a folder.

    Nor is it `source`, the file that it is made from.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f'{path} is a folder: name a file in it')
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise OutputError(f'{path} would be overwritten: name another file')
    check_folder(path.parent)


def write_bytes(path: str | os.PathLike, content: bytes, shared: bool = False) -> None:
    """Write a file atomically; see :func:`atomic_path`."""
    with atomic_path(path, shared) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: str | os.PathLike, content: str, shared: bool = False) -> None:
    """Write UTF-8 text atomically, without changing line endings."""
    write_bytes(path, content.encode('utf-8'), shared)


def is_unfinished(name: str) -> bool:
    """Whether a file name is that of an interrupted write."""
    ours = rf'\..+{re.escape(_UNFINISHED)}(-[0-9a-f]{{32}})?(\.[^.]*)?'
    return re.fullmatch(ours, name) is not None
