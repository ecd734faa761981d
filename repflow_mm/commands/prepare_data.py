"""Write the annotation lists that the configs read."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

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
        print('stopped: run the same command again to continue', file=sys.stderr)
        sys.exit(130)


def _check_options(args: argparse.Namespace) -> None:
    if args.short_side is None:
        args.short_side = 340
    elif not args.reencode_to:
        raise InputError('--short-side is for the copies: give --reencode-to too')
    for name, lowest in (('workers', 1), ('min_frames', 1), ('short_side', 16)):
        if getattr(args, name) < lowest:
            raise InputError(
                f'--{name.replace("_", "-")} has to be {lowest} or more, '
                f'got {getattr(args, name)}'
            )
    if not 0 < args.timeout <= 86400:
        raise InputError(
            f'--timeout has to be between 0 and 86400 seconds, got {args.timeout}'
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description='Write the annotation lists that the configs read'
    )
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
            help='folder of the lists (%(default)s)',
        )
        if dataset.videos is not None:
            _add_video_options(subparser, Path(dataset.videos))
        dataset.add_arguments(subparser)
    return parser


def _add_video_options(parser: argparse.ArgumentParser, videos: Path) -> None:
    add = parser.add_argument
    add(
        '--videos', type=Path, default=videos, help='folder of the videos (%(default)s)'
    )
    add(
        '--no-check',
        dest='check',
        action='store_false',
        help='list videos without decoding them',
    )
    add(
        '--min-frames',
        type=int,
        default=2,
        help='omit videos with fewer frames (%(default)s); for those shorter than a '
        'clip, the configs repeat the last frame',
    )
    add('--decoder', choices=DECODERS, default='auto', help='%(default)s')
    add(
        '--timeout',
        type=float,
        default=60,
        help='time limit of the decoder in seconds (%(default)s)',
    )
    add(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='videos to process in parallel (%(default)s)',
    )
    add('--reencode-to', type=Path, metavar='FOLDER', help='list smaller copies')
    add('--short-side', type=int, help='short side of the copies in pixels (340)')
