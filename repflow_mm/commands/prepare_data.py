"""Write the annotation lists that the configs read."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.errors import InputError, MissingFileError, command
from repflow_mm.preparation import hmdb51, kinetics400, video_folder
from repflow_mm.preparation.check_videos import check_plan, check_videos
from repflow_mm.preparation.kinetics_csv import read_csvs
from repflow_mm.preparation.plan import Plan, lines, make_folder, write_texts
from repflow_mm.preparation.reencode import find_ffmpeg, reencode_plan
from repflow_mm.preparation.report import report_jsonl, report_md, summary
from repflow_mm.preparation.tiny_kinetics import write_lists
from repflow_mm.video import DECODERS


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write annotation lists.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    args = _parser().parse_args(argv)
    if args.dataset == 'tiny-kinetics':
        for part, count in write_lists(args.kinetics400, args.out).items():
            print(f'{args.out}/tiny_kinetics_{part}_list_videos.txt: {count} videos')
        return
    _check_options(args)
    try:
        _prepare(args)
    except KeyboardInterrupt:
        print('stopped: the same command goes on from here', file=sys.stderr)
        sys.exit(130)


def _prepare(args: argparse.Namespace) -> None:
    if args.reencode_to:
        ffmpeg = find_ffmpeg(args.videos, args.reencode_to)
    texts = {}
    if args.dataset == 'kinetics400':
        plan = kinetics400.plan(args.videos, _kinetics_csvs(args))
    elif args.dataset == 'hmdb51':
        plan = hmdb51.plan(args.videos, args.splits)
    else:
        plan, classes = video_folder.plan(args.videos)
        texts['classes.txt'] = classes
    plan = _check(plan, args)
    if args.reencode_to:
        plan = reencode_plan(
            plan,
            ffmpeg,
            args.videos,
            args.reencode_to,
            args.short_side,
            args.workers,
        )
        plan = _check(plan, args)
    if args.dataset == 'folder':
        plan = video_folder.split(plan, classes, args.val_share, args.seed)
    # The configs would stop at an empty list, so there is none.
    texts |= {name: lines(listed) for name, listed in plan.lists.items() if listed}
    report = {
        'report.md': report_md(args.dataset, plan),
        'report.jsonl': report_jsonl(plan),
    }
    if not any(plan.lists.values()):
        write_texts(args.out, report)
        raise InputError(
            f'no list written, for no video can be used: {args.out / "report.md"} '
            'says why of each'
        )
    write_texts(args.out, texts | report)
    _tell(plan, args)


def _check(plan: Plan, args: argparse.Namespace) -> Plan:
    if not args.check:
        return plan
    make_folder(args.out)
    verdicts = check_videos(
        [sample.file for sample in plan.samples()],
        args.out / 'checked.jsonl',
        args.decoder,
        args.timeout,
        args.workers,
    )
    return check_plan(plan, verdicts, args.min_frames)


def _kinetics_csvs(args: argparse.Namespace) -> dict:
    folders = [args.csv] if args.csv else [args.videos, args.out]
    folders += [folder / 'annotations' for folder in folders]
    csvs = read_csvs(folders)
    if args.csv and not csvs:
        raise MissingFileError(
            f'no train.csv and validate.csv in {args.csv}: give the folder of the '
            'CSVs of Kinetics-400, or leave --csv out to label by class folders'
        )
    print('labels: from ' + ('the CSVs' if csvs else 'class folders, without CSVs'))
    return csvs


def _tell(plan: Plan, args: argparse.Namespace) -> None:
    elsewhere = {}
    for name, samples in plan.lists.items():
        if not samples:
            old = ' (the one there is older)' if (args.out / name).exists() else ''
            print(f'{args.out / name}: not written, it would be empty{old}')
            continue
        print(f'{args.out / name}: {len(samples)} videos')
        videos = 'videos'
        if args.dataset == 'kinetics400':
            videos = f'videos_{"train" if "train" in name else "val"}'
        root, expected = samples[0].root, args.out / videos
        if root.resolve() != expected.resolve():
            elsewhere[expected] = root
    for expected, root in elsewhere.items():
        print(
            f'the configs look in {expected}, the videos are in {root}: set '
            'data_prefix.video, or link the folder there'
        )
    counts = ', '.join(f'{kind}: {n}' for kind, n in summary(plan).items())
    print(f'{counts or "nothing was left out"} ({args.out / "report.md"})')


def _check_options(args: argparse.Namespace) -> None:
    if args.short_side is None:
        args.short_side = 340
    elif not args.reencode_to:
        raise InputError('--short-side is of the copies: give --reencode-to too')
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
    if args.dataset == 'folder' and not 0 < args.val_share < 1:
        raise InputError(
            f'--val-share has to be between 0 and 1, such as 0.2, got {args.val_share}'
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description='Write the annotation lists that the configs read'
    )
    datasets = parser.add_subparsers(dest='dataset', required=True)
    kinetics = datasets.add_parser(
        'kinetics400',
        help='from its CSVs and videos, or from class folders',
        description='Write the lists of Kinetics-400 from train.csv, validate.csv and '
        'the videos in any usual layout; without the CSVs, from class folders',
    )
    _add_common(kinetics, Path('data/kinetics400'), Path('data/kinetics400'))
    kinetics.add_argument('--csv', type=Path, help='folder of the CSVs, if elsewhere')
    tiny = datasets.add_parser(
        'tiny-kinetics',
        help="the paper's 150 classes of Kinetics-400, from its lists",
        description='Write the lists of Tiny-Kinetics, all Kinetics-400 videos of '
        "the paper's 150 classes, from the lists of Kinetics-400",
    )
    tiny.add_argument('--kinetics400', type=Path, default=Path('data/kinetics400'))
    tiny.add_argument('--out', type=Path, default=Path('data/tiny_kinetics'))
    hmdb = datasets.add_parser(
        'hmdb51',
        help='its three splits',
        description='Write the lists of the three splits of HMDB51',
    )
    _add_common(hmdb, Path('data/hmdb51/videos'), Path('data/hmdb51'))
    hmdb.add_argument(
        '--splits',
        type=Path,
        default=Path('data/hmdb51/annotations'),
        help='folder of the 153 files CLASS_test_splitN.txt (%(default)s)',
    )
    folder = datasets.add_parser(
        'folder',
        help='your own videos, a folder for each class',
        description='Write train.txt, val.txt and classes.txt for your own videos, '
        'CLASS/VIDEO; clips that were cut from one recording may come to lie on both '
        'sides',
    )
    _add_common(folder, Path('data/own/videos'), Path('data/own'))
    folder.add_argument(
        '--val-share',
        type=float,
        default=0.2,
        help='of each class, for validation (%(default)s)',
    )
    folder.add_argument(
        '--seed', type=int, default=0, help='of the split (%(default)s)'
    )
    return parser


def _add_common(parser: argparse.ArgumentParser, videos: Path, out: Path) -> None:
    add = parser.add_argument
    add(
        '--videos', type=Path, default=videos, help='folder of the videos (%(default)s)'
    )
    add('--out', type=Path, default=out, help='folder of the lists (%(default)s)')
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
        help='shorter videos are left out (%(default)s); of those shorter than a clip '
        'the configs repeat the last frame',
    )
    add('--decoder', choices=DECODERS, default='auto', help='%(default)s')
    add(
        '--timeout',
        type=float,
        default=60,
        help='seconds a decoder may take (%(default)s)',
    )
    add(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='videos at a time (%(default)s)',
    )
    add('--reencode-to', type=Path, metavar='FOLDER', help='list smaller copies there')
    add('--short-side', type=int, help='of the copies, in pixels (340)')
