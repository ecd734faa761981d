"""Train and test configs on all splits with several seeds, and compare them."""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope
from rich.console import Console

import repflow_mm.plugin  # noqa: F401  registers what configs name
from repflow_mm.commands._config import add_cfg_options
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.commands._runs import add_jobs, perform_shown
from repflow_mm.config import read_config
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_folder, write_text
from repflow_mm.study.fused_run import FusedRun
from repflow_mm.study.run import Run
from repflow_mm.study.table import Arm, statements, table


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Cross-validate configs.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Train and test configs on every split with several seeds, and '
        'compare them with the first one, paired by seed. If interrupted, run it again '
        'to continue; more seeds or configs can be added later'
    )
    parser.add_argument(
        'configs',
        nargs='+',
        metavar='CONFIG',
        help='config files, or names of shipped configs; the first is the baseline',
    )
    parser.add_argument(
        '--splits', nargs='+', metavar='SPLIT', help="splits (default: the configs')"
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=at_least(0),
        default=[0, 1, 2],
        metavar='N',
        help='random seeds',
    )
    parser.add_argument(
        '--fuse',
        nargs='+',
        action='append',
        default=[],
        metavar='CONFIG',
        help='also compare the mean of the scores of these configs, chosen from those '
        'above: streams that are trained separately. Can be given several times',
    )
    add_jobs(parser)
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/cross_validation'),
        metavar='FOLDER',
        help='folder of all runs, results.csv and results.md',
    )
    parser.add_argument(
        '--keep-checkpoints', action='store_true', help='keep the tested checkpoints'
    )
    add_cfg_options(parser, '; for all configs')
    args = parser.parse_args(argv)
    check_folder(args.work_dir)
    stems = [Path(config).stem for config in args.configs]
    for stem in stems:
        if stems.count(stem) > 1:
            raise InputError(
                f'two configs are named {stem}: results are identified by the name, so '
                'rename one, or cross-validate them in another --work-dir'
            )
    trained = [_runs(config, args) for config in args.configs]
    arms = [Arm(runs) for runs in trained]
    if any(arm.splits != arms[0].splits for arm in arms):
        raise InputError('the configs have different splits: choose with --splits')
    for names in args.fuse:
        streams = [trained[place] for place in _places(names, args.configs)]
        arms.append(Arm([FusedRun(runs) for runs in zip(*streams, strict=True)]))
    for runs in trained:
        _check_lists(runs)

    console = Console(highlight=False)
    # Seed by seed, so that an interrupted comparison has whole seeds.
    waiting = [
        run
        for seed in arms[0].seeds
        for runs in trained
        for run in runs
        if run.seed == seed and run.result() is None
    ]
    total = sum(map(len, trained))
    failed = []
    outcomes = perform_shown(
        waiting, total, args.jobs, console, keep_checkpoints=args.keep_checkpoints
    )
    for run, outcome in outcomes:
        if isinstance(outcome, str):
            failed.append(f'{run}: {outcome}')
        _write(args.work_dir, arms, failed)
    console.print(_write(args.work_dir, arms, failed), markup=False, soft_wrap=True)
    if failed:
        raise SystemExit(1)


def _runs(config: str, args: argparse.Namespace) -> list[Run]:
    """All runs of one config."""
    options = args.cfg_options or {}
    if 'split' in options:
        raise InputError(f'give the splits as --splits {options["split"]}')
    cfg = read_config(config, options)
    if args.splits and 'split' not in cfg:
        raise InputError(
            f'{config} has no split: leave out --splits, or declare a split as '
            'configs/_base_/datasets/hmdb51.py does'
        )
    splits = args.splits or cfg.get('splits') or [None]
    return [
        Run(config, options, split, seed, args.work_dir)
        for seed in dict.fromkeys(args.seeds)
        for split in dict.fromkeys(splits)
    ]


def _check_lists(runs: list[Run]) -> None:
    """Read the lists of every split, before anything is trained."""
    init_default_scope('mmaction')
    now = {run.split: run.lists() for run in runs if run.seed == runs[0].seed}
    for run in runs:
        result = run.result()
        if result and result.lists not in ('', now[run.split]):
            raise InputError(
                f'the lists have changed since {run} was trained and tested: use '
                f'another --work-dir, or delete {run.folder}'
            )
        if run.seed != runs[0].seed or result:
            continue
        cfg = run.read_config()
        for part in ('train', 'test'):
            try:
                DATASETS.build(cfg[f'{part}_dataloader'].dataset)
            except InputError as error:
                raise type(error)(f'{run}: {error}') from None


def _places(names: Sequence[str], configs: Sequence[str]) -> list[int]:
    """Where the configs to fuse are among all of them."""
    known = [Path(config).stem for config in configs]
    wanted = [Path(name).stem for name in names]
    for name in wanted:
        if name not in known:
            raise InputError(f'--fuse {name}: it is not one of the configs {known}')
    if len(set(wanted)) < max(2, len(wanted)):
        raise InputError(
            f'--fuse {" ".join(names)}: name at least two configs, each once'
        )
    return [known.index(name) for name in wanted]


def _check_clips(arms: list[Arm]) -> None:
    """Raise if a split was not tested on the same videos by all."""
    first: dict[str | None, tuple[Run | FusedRun, int]] = {}
    for run in (run for arm in arms for run in arm.runs):
        result = run.result()
        if result is None:
            continue
        other, clips = first.setdefault(run.split, (run, result.clips))
        if clips != result.clips:
            raise InputError(
                f'{other} was tested on {clips} videos, {run} on {result.clips}: the '
                'lists have changed in between; use another --work-dir'
            )


def _write(folder: Path, arms: list[Arm], failed: list[str]) -> str:
    """Write the results so far; returns the table."""
    _check_clips(arms)
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator='\n')
    writer.writerow(['config', 'split', 'seed', 'clips', 'seconds', 'metric', 'value'])
    for arm in arms:
        for run in arm.runs:
            if (result := run.result()) is not None:
                split = '' if run.split is None else run.split
                fixed = [run.stem, split, run.seed, result.clips, result.seconds]
                writer.writerows([*fixed, *item] for item in result.metrics.items())
    # Another call may write the results of its configs.
    write_text(folder / 'results.csv', rows.getvalue(), shared=True)
    text = '\n\n'.join(part for part in (table(arms), statements(arms)) if part)
    if failed:
        text += '\n\nFailed; run the command again to retry:\n- ' + '\n- '.join(failed)
    write_text(folder / 'results.md', f'{text}\n', shared=True)
    return text
