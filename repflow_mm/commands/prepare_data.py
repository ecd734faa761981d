"""Write the annotation lists that the configs read."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_folder
from repflow_mm.preparation.datasets import DATASETS
from repflow_mm.preparation.run import run
from repflow_mm.video import DECODERS


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write annotation lists.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    args = _parser().parse_args(argv)
    check_folder(args.out)
    if args.dataset.videos is not None:
        _check_options(args)
        if args.reencode_to:
            check_folder(args.reencode_to)
    try:
        run(args.dataset, args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            'stopped: run the same command again to continue'
        ) from None


_OF_CHECKS: dict[str, Any] = dict(min_frames=2, decoder='auto', timeout=60)


def _check_options(args: argparse.Namespace) -> None:
    for name, default in _OF_CHECKS.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
        elif not args.check:
            option = name.replace('_', '-')
            raise InputError(f'--{option} is for checks: leave out --no-check')
    if args.short_side is None:
        args.short_side = 340
    elif not args.reencode_to:
        raise InputError('--short-side is for the copies: give --reencode-to too')


def _parser() -> Parser:
    parser = Parser(description='Write the annotation lists that the configs read')
    commands = parser.add_subparsers(metavar='DATASET', required=True)
    for dataset in DATASETS:
        subparser = commands.add_parser(
            dataset.name, help=dataset.help, description=dataset.description
        )
        subparser.set_defaults(dataset=dataset)
        subparser.add_argument(
            '--out',
            type=Path,
            default=Path(dataset.out),
            help='folder of the lists',
        )
        if dataset.videos is not None:
            _add_video_options(subparser, Path(dataset.videos))
        dataset.add_arguments(subparser)
    return parser


def _add_video_options(parser: Parser, videos: Path) -> None:
    add = parser.add_argument
    add('--videos', type=Path, default=videos, help='folder of the videos')
    add(
        '--no-check',
        dest='check',
        action='store_false',
        help='list videos without decoding them',
    )
    add(
        '--min-frames',
        type=at_least(1),
        help='leave out videos with fewer frames (2); if a video is shorter than a '
        'clip, the configs repeat its last frame',
    )
    add('--decoder', choices=DECODERS, help='the library that decodes (auto)')
    add(
        '--timeout',
        type=_time_limit,
        help='time limit of the decoder in seconds (60)',
    )
    add(
        '--workers',
        type=at_least(1),
        default=os.cpu_count(),
        help='videos to process in parallel',
    )
    add(
        '--reencode-to',
        type=Path,
        metavar='FOLDER',
        help='make smaller copies in this folder, and list those',
    )
    add(
        '--short-side',
        type=at_least(16),
        help='short side of the copies in pixels (340)',
    )


def _time_limit(text: str) -> float:
    """Argument type: seconds, more than 0 and at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = float('nan')
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(
            f'must be more than 0 and at most 86400 seconds, got {text}'
        )
    return value
