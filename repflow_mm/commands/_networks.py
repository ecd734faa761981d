"""Arguments shared by the commands that measure networks."""

import argparse
from collections.abc import Sequence

from repflow_mm.benchmark.complexity import DEPTHS, FAMILIES
from repflow_mm.commands._parser import at_least


def add_networks(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, depths: Sequence[int]
) -> None:
    """Add `--families` and `--depths`."""
    parser.add_argument(
        '--families',
        nargs='+',
        choices=FAMILIES,
        default=[*FAMILIES],
        metavar='FAMILY',
        help='kinds of networks',
    )
    parser.add_argument(
        '--depths',
        nargs='+',
        type=int,
        choices=DEPTHS,
        default=depths,
        metavar='DEPTH',
        help='their depths',
    )


def add_clip(parser: argparse.ArgumentParser, frames: int) -> None:
    """Add `--frames` and `--size`."""
    parser.add_argument(
        '--frames',
        type=at_least(2),
        default=frames,
        metavar='N',
        help='frames per clip',
    )
    parser.add_argument(
        '--size',
        type=at_least(1),
        default=224,
        metavar='PIXELS',
        help='height and width of a frame',
    )
