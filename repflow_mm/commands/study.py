"""Test the paper's claims, each by runs with several seeds, and write the page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import repflow_mm.plugin  # noqa: F401  registers what configs name
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.commands._runs import add_jobs, perform_shown
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_file, check_folder
from repflow_mm.study.claim import SCALES, read_claim, shipped_claims
from repflow_mm.study.page import write_page
from repflow_mm.study.plan import plan
from repflow_mm.study.report import Report
from repflow_mm.study.rows import current, read_rows, row_of, write_rows
from repflow_mm.study.trial import FusedTrial, Trial

_EPILOG = f'claims: {", ".join(shipped_claims())}'


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run a study, or write its page.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Test claims: train and test each arm of a claim with several '
        'seeds, on videos made with the same seeds, and say what holds. If '
        'interrupted, run it again to continue',
        epilog=_EPILOG,
    )
    parser.add_argument(
        'claims', nargs='*', metavar='CLAIM', help='names below, or files of your own'
    )
    parser.add_argument(
        '--scale',
        choices=SCALES,
        default='quick',
        help='size of the runs, as defined in the claim file',
    )
    parser.add_argument(
        '--seeds',
        type=at_least(1),
        metavar='N',
        help="runs per arm and set (default: the scale's)",
    )
    add_jobs(parser)
    parser.add_argument(
        '--part',
        type=_part,
        metavar='I/N',
        help='perform one of N parts (0/N to N-1/N), as in an array of jobs; when all '
        'are done, the same command without --part collects their results',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/study'),
        metavar='FOLDER',
        help='folder for videos and runs',
    )
    parser.add_argument(
        '--results',
        type=Path,
        metavar='FOLDER',
        help='folder for the results, CLAIM.jsonl (default: results/ in --out)',
    )
    parser.add_argument(
        '--page',
        type=Path,
        metavar='FILE',
        help='train nothing, only write this page from the results (default: those of '
        'all claims)',
    )
    args = parser.parse_args(argv)
    if not args.claims and not args.page:
        raise InputError(f'name a claim: {", ".join(shipped_claims())}')
    claims = [read_claim(name) for name in args.claims or shipped_claims()]
    names = [claim.name for claim in claims]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f'two claims are named {name}: results are identified by the name, so '
                'name each once, and rename files of your own'
            )
    results = args.results or args.out / 'results'
    if args.page:
        for name in ('scale', 'seeds', 'part', 'jobs'):
            if getattr(args, name) != parser.get_default(name):
                raise InputError(f'--page trains nothing: leave out --{name}')
        check_file(args.page)
        print(write_page(args.page, claims, results, args.out))
        return
    for folder in (args.out, results):
        check_folder(folder)
    for claim in claims:
        if args.scale not in claim.scales:
            raise InputError(f'{claim.name} has no scale {args.scale}')
    trials = [
        trial
        for claim in claims
        for trial in plan(claim, args.scale, args.seeds, args.out)
    ]

    console = Console(highlight=False)
    if args.part:
        index, count = args.part
        runs = [trial for trial in trials if isinstance(trial, Trial)]
        folders = list(dict.fromkeys(run.folder for run in runs))  # one training
        ours = [run for run in runs if run.folder in folders[index::count]]
        if failures := _perform(ours, results, args.jobs, console, write=False):
            console.print('Failed:\n- ' + '\n- '.join(failures), markup=False)
            raise SystemExit(1)
        return
    failed = bool(_perform(trials, results, args.jobs, console))
    for claim in claims:
        ours = [trial for trial in trials if trial.claim == claim.name]
        rows = current(read_rows(results / f'{claim.name}.jsonl'), ours)
        seeds = args.seeds or claim.scales[args.scale].seeds
        report = Report(claim, args.scale, rows, seeds)
        text = [f'\n{claim.title} ({args.scale}, {report.state()})', report.table()]
        text += [report.statements(), report.not_run()]
        if failures := report.failures():
            text.append('Failed:\n- ' + '\n- '.join(failures))
        console.print('\n\n'.join(filter(None, text)), markup=False, soft_wrap=True)
    if failed:
        raise SystemExit(1)


def _part(text: str) -> tuple[int, int]:
    index, _, count = text.partition('/')
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f'must be I/N, from 0/N to N-1/N, got {text}')
    return int(index), int(count)


def _perform(
    trials: Sequence[Trial | FusedTrial],
    results: Path,
    jobs: int,
    console: Console,
    write: bool = True,
) -> list[str]:
    """Perform what has no row yet, and write a row for each run that ends.

    If rows are not written, the results stay in the folders of the runs, where a later
    call finds them. Returns a line for each run that failed.
    """

    def keep(trial: Trial | FusedTrial, outcome) -> None:
        if write:
            row = row_of(trial, outcome)
            write_rows(results / f'{trial.claim}.jsonl', [row])

    files = {results / f'{trial.claim}.jsonl' for trial in trials}
    rows = current([row for file in files for row in read_rows(file)], trials)
    done = {row.key for row in rows if row.state == 'done'}
    waiting, fusions = [], []
    for trial in trials:
        if trial.key in done:
            continue
        if isinstance(trial, FusedTrial):
            fusions.append(trial)
            continue
        if (result := trial.result()) is not None:  # killed before its row was written
            keep(trial, result)
        else:
            waiting.append(trial)
    runs = perform_shown(
        waiting,
        sum(isinstance(trial, Trial) for trial in trials),
        jobs,
        console,
        prepare=_write_videos,
        stop_on_mistakes=False,
    )
    failures = []
    for trial, outcome in runs:
        keep(trial, outcome)
        if isinstance(outcome, str):
            failures.append(f'{trial}: {outcome}')
    for fusion in fusions:
        if (result := fusion.result()) is not None:
            keep(fusion, result)
            continue
        known = [run for run in fusion.runs if run.key in done]
        if lacking := [run.arm for run in known if run.result() is None]:
            failures.append(
                f'{fusion}: there are no scores of {" and ".join(lacking)} in '
                f'{fusion.runs[0].root}, though there are results: give the --out that '
                'has them, or a new folder for --results to train again'
            )
            console.print(failures[-1], markup=False, soft_wrap=True)
    return failures


def _write_videos(trial: Trial) -> None:
    if not trial.clips.is_dir():
        trial.videos.write(trial.clips)
