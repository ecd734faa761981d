"""Annotation lists from what is on disk: the command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.datasets.tiny_kinetics import write_lists
from repflow_mm.errors import one_line_errors


@one_line_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Write annotation lists.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='Write the annotation lists that the configs read'
    )
    datasets = parser.add_subparsers(dest='dataset', required=True)
    tiny = datasets.add_parser(
        'tiny-kinetics',
        help="the paper's 150 classes of Kinetics-400, from its lists",
        description='Write the lists of Tiny-Kinetics, all Kinetics-400 videos of '
        "the paper's 150 classes, from the lists of Kinetics-400",
    )
    tiny.add_argument('--kinetics400', type=Path, default=Path('data/kinetics400'))
    tiny.add_argument('--out', type=Path, default=Path('data/tiny_kinetics'))
    args = parser.parse_args(argv)
    for part, count in write_lists(args.kinetics400, args.out).items():
        print(f'{args.out}/tiny_kinetics_{part}_list_videos.txt: {count} videos')
