"""Tiny-Kinetics: the Kinetics-400 videos of the paper's 150 classes."""

import argparse
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from repflow_mm.class_names import class_names
from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.plan import Plan, Sample
from repflow_mm.preparation.spelling import bare

PARTS = ('train', 'val')


class TinyKinetics(Preparation):
    """`tiny-kinetics`. The videos stay where Kinetics-400 has them."""

    name = 'tiny-kinetics'
    help = "the paper's 150 classes of Kinetics-400, from its lists"
    description = (
        "Write the lists of Tiny-Kinetics, all Kinetics-400 videos of the paper's 150 "
        'classes, from the lists of Kinetics-400'
    )
    out = 'data/tiny_kinetics'
    videos = None
    configs = ('table*/*_tinykinetics.py',)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add `--kinetics400`."""
        parser.add_argument(
            '--kinetics400',
            type=Path,
            default=Path('data/kinetics400'),
            help="folder of Kinetics-400's lists (%(default)s)",
        )

    def plan(self, args: argparse.Namespace) -> Plan:
        """Build both lists; see :func:`select`."""
        lists = {}
        for part in PARTS:
            source = args.kinetics400 / f'kinetics400_{part}_list_videos.txt'
            if not source.is_file():
                raise MissingFileError(
                    f"no list at {source}: give the folder of MMAction2's "
                    'Kinetics-400 lists'
                )
            try:
                text = source.read_text(encoding='utf-8').splitlines()
            except UnicodeDecodeError:
                raise InputError(f'{source} is not a list: it is not UTF-8') from None
            root = self.expected(args, part)
            lists[f'tiny_kinetics_{part}_list_videos.txt'] = [
                Sample(root, path, label) for path, label in select(text, str(source))
            ]
        if not any(lists.values()):
            raise InputError(
                f'no line of the lists in {args.kinetics400} is of one of the 150 '
                'classes of Tiny-Kinetics'
            )
        return Plan(lists)

    def expected(self, args: argparse.Namespace, name: str) -> Path:
        """The video folders of Kinetics-400."""
        part = 'train' if 'train' in name else 'val'
        return args.kinetics400 / f'videos_{part}'


def select(lines: Iterable[str], source: str) -> list[tuple[str, int]]:
    """Select and relabel the Tiny-Kinetics lines of a Kinetics-400 list.

    Args:
        lines (Iterable[str]): `path label`, labels 0 to 399 in MMAction2's order.
        source (str): Name of the list, for messages.

    Returns:
        list[tuple[str, int]]: Path and label of the 150 classes, labels 0 to 149, in
        the original order.

    Raises:
        InputError: On a line without a label of Kinetics-400, or whose folder and
            label disagree, which means that the list is numbered differently.
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
                "order, as MMAction2's is: regenerate it"
            )
        if names[label] in kept:
            selected.append((path, kept[names[label]]))
    return selected
