"""Accuracies over seeds: means, paired differences and their intervals."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from repflow_mm.study.run import METRIC, Result

# Accuracies that differ by less are of as many clips: 43/60 - 40/60 is not 3/60.
_EQUAL = 1e-5


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % confidence interval.

    Args:
        mean (float): The mean.
        half_width (float): Half the width of Student's t interval; infinite for n = 1.
        n (int): Number of values.
    """

    mean: float
    half_width: float
    n: int


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % interval of at least one value, by Student's t distribution."""
    n = len(values)
    if n == 1:
        return Estimate(values[0], math.inf, 1)
    error = statistics.stdev(values) / math.sqrt(n)
    return Estimate(statistics.mean(values), stats.t.ppf(0.975, n - 1) * error, n)


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


def paired(ours: Mapping[int, float], baseline: Mapping[int, float]) -> list[float]:
    """Differences between two arms, for the seeds that both have."""
    return [ours[seed] - baseline[seed] for seed in ours if seed in baseline]


def p_value(differences: Sequence[float], margin: float = 0.0) -> float:
    """Two-sided p-value of the mean difference, by the paired t-test.

    Equal differences have no variance to test by: few clips give few different
    accuracies, so seeds may coincide. There it is that of the sign test.

    Args:
        differences (Sequence[float]): At least one, paired.
        margin (float): The mean under the null hypothesis. Defaults to 0.

    Returns:
        float: In [0, 1]; 1 for a single difference, which says nothing.
    """
    if len(differences) == 1:
        return 1.0
    if max(differences) - min(differences) < _EQUAL:
        none = abs(differences[0] - margin) < _EQUAL
        return 1.0 if none else 2 * 0.5 ** len(differences)
    return float(stats.ttest_1samp(differences, margin).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, by Holm's step-down method.

    Compared with a level, they keep the probability of one or more false rejections
    among all below it, however the tests depend on each other.

    Args:
        p_values (Sequence[float]): p-values of a family of tests.

    Returns:
        list[float]: Adjusted p-values, in the same order.
    """
    count = len(p_values)
    adjusted, largest = [0.0] * count, 0.0
    for rank, place in enumerate(sorted(range(count), key=p_values.__getitem__)):
        largest = max(largest, min((count - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted


def judge(
    differences: Mapping[str, Sequence[float]], margin: float = 0.0, level: float = 0.05
) -> dict[str, tuple[str, float]]:
    """Judge a family of claims, each that a mean difference is above a margin.

    Args:
        differences (Mapping[str, Sequence[float]]): Paired differences, by claim.
        margin (float): What they have to exceed; below 0, it is how much worse still
            counts as no worse. Defaults to 0.
        level (float): Probability of one or more wrong verdicts in the family, if none
            of its means differs from the margin. Defaults to 0.05.

    Returns:
        dict[str, tuple[str, float]]: By claim, `'holds'`, `'does not hold'` or
        `'cannot be told'`, and the p-value adjusted by Holm.
    """
    adjusted = holm([p_value(values, margin) for values in differences.values()])
    verdicts = {}
    for (claim, values), p in zip(differences.items(), adjusted, strict=True):
        above = statistics.mean(values) > margin
        told = 'holds' if above else 'does not hold'
        verdicts[claim] = (told if p < level else 'cannot be told', p)
    return verdicts
