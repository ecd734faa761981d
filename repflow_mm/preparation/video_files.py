"""Find the videos of a folder tree whose paths an annotation list can hold."""

import os
from collections import defaultdict
from pathlib import Path

from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.preparation.plan import Problem

VIDEO_SUFFIXES = (
    *('.mp4', '.mkv', '.webm', '.avi', '.mov', '.m4v', '.mpg', '.mpeg', '.flv'),
    *('.wmv', '.ts', '.m2ts', '.3gp', '.ogv'),
)


def find_videos(root: Path) -> tuple[list[str], list[Problem]]:
    """Find videos anywhere below a folder, following links, skipping hidden files.

    Args:
        root (Path): The folder.

    Returns:
        tuple[list[str], list[Problem]]: Sorted paths relative to `root`, with `/`, and
        every other file: videos whose path a list cannot hold, and, as one problem per
        folder and suffix, files without a video suffix.

    Raises:
        MissingFileError: If the folder does not exist.
        InputError: If a folder cannot be read.
    """
    if not root.is_dir():
        raise MissingFileError(f'no folder {root}: give the folder of the videos')
    videos, problems, seen = [], [], set()
    others = defaultdict(list)
    for folder, folders, files in os.walk(root, onerror=_fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        # Sorted: which of two links to a folder comes first must be deterministic.
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in files:
            if name.startswith('.'):
                continue
            path = Path(folder, name).relative_to(root).as_posix()
            if not name.lower().endswith(VIDEO_SUFFIXES):
                others[os.path.dirname(path), Path(name).suffix.lower()].append(path)
                continue
            reason = unlistable(path)
            if not os.path.isfile(os.path.join(folder, name)):
                reason = 'it is not a file, or a dangling link'
            if reason:
                problems.append(Problem('unusable', repr(path), reason))
            else:
                videos.append(path)
    for (_, suffix), paths in others.items():
        first, *more = sorted(paths)
        kind = _printable(suffix)
        what = f'{kind} is not the suffix of a video' if suffix else 'it has no suffix'
        why = f'{what}; {len(more)} more such files beside it' if more else what
        problems.append(Problem('no video', _printable(first), why))
    return sorted(videos), problems


def _printable(path: str) -> str:
    return repr(path) if unlistable(path) else path


def unlistable(path: str) -> str:
    """Why a list cannot hold a path (or a folder's name), or '' if it can."""
    if path != path.strip() or len(path.splitlines()) > 1:
        return 'a line of a list cannot begin with a space or contain a line break'
    try:
        path.encode()
    except UnicodeEncodeError:
        return 'the name is not UTF-8'
    return ''


def _fail(error: OSError) -> None:
    raise InputError(f'cannot read {error.filename}: {error.strerror}')
