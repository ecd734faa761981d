"""Class names of the datasets, in the order of their labels."""

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
    """Normalise a name whose spelling varies between folders, files and lists.

    Args:
        name (str): For example `'Arm_wrestling'`.

    Returns:
        str: Its letters and digits only, in lower case: `'armwrestling'`.
    """
    return ''.join(c for c in name.lower() if c.isalnum())
