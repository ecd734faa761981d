"""The table of a comparison."""

import math
import statistics
from collections.abc import Mapping, Sequence

from repflow_mm.study.fused_run import FusedRun
from repflow_mm.study.run import METRIC, Result, Run
from repflow_mm.study.statistics import estimate, judge, paired


class Arm:
    """All runs of one config, or of one fusion of configs.

    Args:
        runs (Sequence[Run] | Sequence[FusedRun]): Of every split with every seed.
    """

    def __init__(self, runs: Sequence[Run] | Sequence[FusedRun]) -> None:
        self.runs = runs
        self.name = runs[0].stem
        self.splits = list(dict.fromkeys(run.split for run in runs))
        self.seeds = list(dict.fromkeys(run.seed for run in runs))

    def accuracies(self) -> dict[int, float]:
        """Top-1 over the test samples of all splits, by seed; in [0, 1]."""
        results = {(run.split, run.seed): run.result() for run in self.runs}
        found = {key: result for key, result in results.items() if result is not None}
        return pooled(found, self.splits)

    def seconds(self) -> float:
        """Mean wall time of the runs that were not interrupted; NaN without any."""
        results = [run.result() for run in self.runs]
        times = [r.seconds for r in results if r is not None and r.seconds is not None]
        return statistics.mean(times) if times else math.nan


def pooled(
    results: Mapping[tuple[str | None, int], Result],
    splits: Sequence[str | None],
    metric: str = METRIC,
) -> dict[int, float]:
    """Accuracy of each seed over the test samples of all splits.

    Args:
        results (Mapping[tuple[str | None, int], Result]): By split and seed.
        splits (Sequence[str | None]): The splits; a seed without a result for all of
            them is left out.
        metric (str): Name of the metric. Defaults to top-1 accuracy.

    Returns:
        dict[int, float]: Mean over test samples, by seed.
    """
    seeds = sorted({seed for _, seed in results})
    accuracies = {}
    for seed in seeds:
        found = [results[split, seed] for split in splits if (split, seed) in results]
        if len(found) == len(splits) and all(metric in r.metrics for r in found):
            right = sum(r.metrics[metric] * r.clips for r in found)
            accuracies[seed] = right / sum(r.clips for r in found)
    return accuracies


def table(arms: Sequence[Arm]) -> str:
    """Accuracies, and differences to the first arm, in Markdown.

    An accuracy is over the test samples of all splits, for one seed. Intervals are
    Student's over seeds: they say how much training varies, not how much the choice of
    the videos does.

    Args:
        arms (Sequence[Arm]): The arms, the baseline first.

    Returns:
        str: One row per arm.
    """
    rows = [
        ('config', 'top-1 (%)', 'difference from the first', 'seeds', 's per run'),
        ('---',) * 5,
    ]
    baseline = arms[0].accuracies()
    for arm in arms:
        ours = arm.accuracies()
        difference = '' if arm is arms[0] else percent(paired(ours, baseline), '+')
        done = f'{len(ours)} of {len(arm.seeds)}'
        seconds = arm.seconds()
        shown = '-' if math.isnan(seconds) else f'{seconds:.0f}'
        rows.append((arm.name, percent(list(ours.values())), difference, done, shown))
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    Args:
        rows (Sequence[Sequence[str]]): Its cells: the head, the line of dashes, rows.

    Returns:
        str: The table.
    """
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def percent(values: Sequence[float], sign: str = '') -> str:
    """The mean of shares in percent, with its 95 % interval if there are several.

    Args:
        values (Sequence[float]): In [-1, 1].
        sign (str): `'+'` to show the sign of positive ones, too. Defaults to none.

    Returns:
        str: Such as `'+3.2 ± 1.1'`; `'-'` without values.
    """
    if not values:
        return '-'
    found = estimate([100 * value for value in values])
    if found.n == 1:
        return f'{found.mean:{sign}.1f}'
    return f'{found.mean:{sign}.1f} ± {found.half_width:.1f}'


def statements(arms: Sequence[Arm]) -> str:
    """Say of each arm whether it is better than the first, as a list in Markdown.

    By paired t-tests over seeds, whose p-values are adjusted by Holm for the number of
    arms, at a level of 5 %.

    Args:
        arms (Sequence[Arm]): The arms, the baseline first.

    Returns:
        str: One sentence per arm; empty if none has a seed in common with the first.
    """
    first, *others = arms
    baseline = first.accuracies()
    differences = {arm.name: paired(arm.accuracies(), baseline) for arm in others}
    lines = []
    for name, (verdict, p) in judge(differences).items():
        if not differences[name]:
            continue
        says = {
            'holds': f'{name} is better than {first.name}',
            'does not hold': f'{name} is worse than {first.name}',
        }.get(verdict, f'whether {name} is better than {first.name} cannot be told')
        difference, n = percent(differences[name], '+'), len(differences[name])
        lines.append(f'- {says}: {difference} points, n = {n}, p = {p:.2g} (Holm)')
    return '\n'.join(lines)
