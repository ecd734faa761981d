"""Tiny-Kinetics: the Kinetics-400 videos of the paper's 150 classes."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.preparation.class_names import bare, class_names

PARTS = ('train', 'val')


def select(lines: Iterable[str], source: str) -> list[str]:
    """Lines of a Kinetics-400 list that Tiny-Kinetics keeps, relabelled.

    Args:
        lines (Iterable[str]): `path label`, labels 0 to 399 in MMAction2's order.
        source (str): Where they are from, for messages.

    Returns:
        list[str]: `path label` of the 150 classes, labels 0 to 149, in the order
        they came.

    Raises:
        ValueError: On a line without a label of Kinetics-400, or whose folder is
            another class than its label: the list is numbered otherwise.
    """
    names = class_names('kinetics400')
    folders = {bare(name): label for label, name in enumerate(names)}
    kept = {name: label for label, name in enumerate(class_names('tiny_kinetics'))}
    selected = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        path, _, label = line.strip().rpartition(' ')
        if not path or not label.isdecimal() or int(label) >= len(names):
            raise InputError(
                f'{source}, line {number}: expected `path label` with a label of '
                f'Kinetics-400 (0 to {len(names) - 1}), got {line.strip()!r}'
            )
        label = int(label)
        folder = PurePosixPath(path).parent.name
        if folders.get(bare(folder), label) != label:
            raise InputError(
                f'{source}, line {number}: label {label} is {names[label]!r} and the '
                f'folder is {folder!r}, so the list is not numbered in alphabetical '
                "order, as MMAction2's is: make it anew"
            )
        if names[label] in kept:
            selected.append(f'{path} {kept[names[label]]}')
    return selected


def write_lists(source: Path, target: Path) -> dict[str, int]:
    """Write Tiny-Kinetics' two lists from those of Kinetics-400.

    The videos stay where they are: paths are copied as they stand.

    Args:
        source (Path): Folder with `kinetics400_{train,val}_list_videos.txt`.
        target (Path): Folder for `tiny_kinetics_{train,val}_list_videos.txt`.

    Returns:
        dict[str, int]: Videos of each part.

    Raises:
        FileNotFoundError: If a list of Kinetics-400 is missing.
        ValueError: As :func:`select`; nothing is written then.
    """
    selected = {}
    for part in PARTS:
        path = source / f'kinetics400_{part}_list_videos.txt'
        if not path.is_file():
            raise MissingFileError(
                f"no list at {path}: give the folder of MMAction2's Kinetics-400 lists"
            )
        lines = path.read_text(encoding='utf-8').splitlines()
        selected[part] = select(lines, str(path))
    target.mkdir(parents=True, exist_ok=True)
    for part, lines in selected.items():
        path = target / f'tiny_kinetics_{part}_list_videos.txt'
        path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
    return {part: len(lines) for part, lines in selected.items()}
