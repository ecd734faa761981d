"""Runs with a bar of their progress and the time left."""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from repflow_mm.commands._parser import at_least
from repflow_mm.study.processes import perform_all
from repflow_mm.study.run import METRIC, Result, Run


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add `--jobs`, the number of runs at a time."""
    parser.add_argument(
        '--jobs',
        type=at_least(1),
        default=1,
        metavar='N',
        help='runs at the same time; they share the cores',
    )


def perform_shown(
    runs: Sequence[Run],
    total: int,
    jobs: int,
    console: Console,
    prepare: Callable[[Run], None] | None = None,
    **options,
) -> Iterator[tuple[Run, Result | str]]:
    """Perform runs, and print a line for each.

    Args:
        runs (Sequence[Run]): Runs without a result.
        total (int): Number of runs, with those that have one.
        jobs (int): Runs at a time.
        console (Console): Where to print.
        prepare (Callable, optional): As for :func:`perform_all`; may show a progress
            of its own.
        **options: As for :func:`perform_all`.

    Yields:
        tuple[Run, Result | str]: As :func:`perform_all`.
    """
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # By default, a speed is that of the last half minute: less than a run.
    with Progress(
        *columns, console=console, transient=True, speed_estimate_period=math.inf
    ) as progress:
        task = progress.add_task('runs', total=total, completed=total - len(runs))
        progress.advance(task, 0)
        if prepare is not None:
            options['prepare'] = partial(_alone, progress, prepare)
        for run, outcome in perform_all(runs, jobs, **options):
            progress.advance(task)
            says = outcome
            if isinstance(outcome, Result):
                says = f'top-1 {100 * outcome.metrics[METRIC]:.1f} %'
            console.print(escape(f'{run}: {says}'), soft_wrap=True)
            yield run, outcome


def _alone(progress: Progress, prepare: Callable[[Run], None], run: Run) -> None:
    """Prepare a run without this bar: there is one live display at a time."""
    progress.stop()
    prepare(run)
    progress.start()
