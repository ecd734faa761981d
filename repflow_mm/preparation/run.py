"""Check the videos of a dataset, re-encode them, and write the lists and reports."""

import argparse

from repflow_mm.errors import InputError
from repflow_mm.preparation.base import Preparation
from repflow_mm.preparation.check_videos import check_plan, check_videos
from repflow_mm.preparation.plan import Plan, lines, make_folder, write_texts
from repflow_mm.preparation.reencode import find_ffmpeg, reencode_plan
from repflow_mm.preparation.report import report_jsonl, report_md, summary


def run(dataset: Preparation, args: argparse.Namespace) -> None:
    """Write the lists of a dataset, and print a summary.

    Args:
        dataset (Preparation): The dataset.
        args (argparse.Namespace): Its options and, if it has videos, the common video
            options.

    Raises:
        InputError: If there is nothing to list.
        OutputError: If the lists cannot be written.
    """
    dataset.check_arguments(args)
    if dataset.videos is None:
        plan = dataset.finish(dataset.plan(args), args)
        report = {}
    else:
        plan = dataset.finish(_usable(dataset, args), args)
        report = {
            'report.md': report_md(dataset.name, plan),
            'report.jsonl': report_jsonl(plan),
        }
    # Training rejects an empty list, so none is written.
    texts = {name: lines(listed) for name, listed in plan.lists.items() if listed}
    if not texts:
        write_texts(args.out, report)
        raise InputError(
            f'no list written, because no video is usable: {args.out / "report.md"} '
            'gives the reason for each'
        )
    write_texts(args.out, texts | dict(plan.texts) | report)
    _tell(dataset, plan, args)


def _usable(dataset: Preparation, args: argparse.Namespace) -> Plan:
    if args.reencode_to:
        ffmpeg = find_ffmpeg(args.videos, args.reencode_to, args.short_side)
    plan = _check(dataset.plan(args), args)
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
    return plan


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


def _tell(dataset: Preparation, plan: Plan, args: argparse.Namespace) -> None:
    elsewhere = {}
    for name, samples in plan.lists.items():
        if not samples:
            old = ' (the one there is older)' if (args.out / name).exists() else ''
            print(f'{args.out / name}: not written, as it would be empty{old}')
            continue
        print(f'{args.out / name}: {len(samples)} videos')
        root, expected = samples[0].root, dataset.expected(args, name)
        if root.resolve() != expected.resolve():
            elsewhere[expected] = root
    for expected, root in elsewhere.items():
        print(
            f'the configs look in {expected}, the videos are in {root}: set '
            'data_prefix.video, or link the folder there'
        )
    if dataset.videos is not None:
        counts = ', '.join(f'{kind}: {n}' for kind, n in summary(plan).items())
        print(f'{counts or "nothing was left out"} ({args.out / "report.md"})')
    print(*dataset.next_steps(plan, args), sep='\n')
