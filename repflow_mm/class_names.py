"""Class names of the datasets, in the order of their labels."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from repflow_mm.errors import InputError, MissingFileError


def class_names(dataset: str) -> list[str]:
    """Class names in the order of their labels.

    Args:
        dataset (str): `'kinetics400'`, `'hmdb51'` (MMAction2's orders),
            `'tiny_kinetics'`, `'weizmann'` or `'ut_interaction'`.

    Returns:
        list[str]: The names.
    """
    lists = resources.files('repflow_mm') / 'class_lists'
    return (lists / f'{dataset}.txt').read_text(encoding='utf-8').splitlines()


def name_classes(names: Sequence[str] | str | None, count: int) -> tuple[str, ...]:
    """The names that a config gives the classes of its model.

    Args:
        names (Sequence[str] | str, optional): The config's `class_names`: the names, a
            file with a name per line, or a dataset of :func:`class_names`. `None`
            numbers the classes.
        count (int): The model's number of classes.

    Returns:
        tuple[str, ...]: `count` names.

    Raises:
        MissingFileError: If it is neither a file nor a dataset.
        InputError: If it is not a list, or has another number of names.
    """
    if names is None:
        return numbered_classes(count)
    if isinstance(names, str):
        names = _read(names)
    if not isinstance(names, list | tuple):
        raise InputError(f'class_names must be a list or a file, got {names!r}')
    if len(names) != count:
        raise InputError(
            f'class_names of the config has {len(names)} names, and its model '
            f'{count} classes: --cfg-options class_names=FILE, one name per line'
        )
    return tuple(map(str, names))


def numbered_classes(count: int) -> tuple[str, ...]:
    """Placeholder class names, used where no names are given."""
    return tuple(f'class {label}' for label in range(count))


def _read(source: str) -> list[str]:
    if Path(source).is_file():
        try:
            return Path(source).read_text(encoding='utf-8-sig').rstrip().splitlines()
        except UnicodeDecodeError:
            raise InputError(
                f'class_names of the config is {source}, which is not UTF-8 text'
            ) from None
    try:
        return class_names(source)
    except FileNotFoundError:
        raise MissingFileError(
            f'class_names of the config is {source!r}, which is neither a file nor a '
            'list of this package: --cfg-options class_names=FILE, one name per line'
        ) from None
