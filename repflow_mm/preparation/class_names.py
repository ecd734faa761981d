"""Class names: their order is that of the labels, their spelling varies."""

from importlib import resources


def class_names(dataset: str) -> list[str]:
    """Class names in the order of their labels.

    Args:
        dataset (str): `'kinetics400'`, `'hmdb51'` (MMAction2's orders),
            `'tiny_kinetics'`, `'weizmann'` or `'ut_interaction'`.

    Returns:
        list[str]: The names.
    """
    lists = resources.files('repflow_mm.preparation') / 'class_lists'
    return (lists / f'{dataset}.txt').read_text(encoding='utf-8').splitlines()


def bare(name: str) -> str:
    """A name without what folders and files spell differently.

    Args:
        name (str): Such as `'Arm_wrestling'`.

    Returns:
        str: Letters and digits alone, in lower case: `'armwrestling'`.
    """
    return ''.join(c for c in name.lower() if c.isalnum())
