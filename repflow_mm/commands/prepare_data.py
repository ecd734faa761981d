"""Write the annotation lists that the configs read."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import InputError, command
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
    if args.dataset.videos is not None:
        _check_options(args)
    try:
        run(args.dataset, args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            'stopped: run the same command again to continue'
        ) from None


def _check_options(args: argparse.Namespace) -> None:
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
        default=2,
        help='omit videos with fewer frames; for those shorter than a '
        'clip, the configs repeat the last frame',
    )
    add('--decoder', choices=DECODERS, default='auto', help='the library that decodes')
    add(
        '--timeout',
        type=_time_limit,
        default=60,
        help='time limit of the decoder in seconds',
    )
    add(
        '--workers',
        type=at_least(1),
        default=os.cpu_count(),
        help='videos to process in parallel',
    )
    add('--reencode-to', type=Path, metavar='FOLDER', help='list smaller copies')
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
