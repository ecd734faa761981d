"""Accuracies over seeds: means, paired differences and their intervals."""

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scipy import stats

Key = TypeVar('Key', bound=Hashable)

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


def paired(ours: Mapping[int, float], baseline: Mapping[int, float]) -> list[float]:
    """Differences between two arms, for the seeds that both have."""
    return [ours[seed] - baseline[seed] for seed in ours if seed in baseline]


def p_value(differences: Sequence[float]) -> float:
    """Two-sided p-value of the mean difference, by the paired t-test.

    Equal differences have no variance to test by: few clips give few different
    accuracies, so seeds may coincide. There it is that of the sign test.

    Args:
        differences (Sequence[float]): Paired.

    Returns:
        float: In [0, 1]; 1 for a single difference or none, which say nothing.
    """
    if len(differences) < 2:
        return 1.0
    if max(differences) - min(differences) < _EQUAL:
        none = abs(differences[0]) < _EQUAL
        return 1.0 if none else 2 * 0.5 ** len(differences)
    return float(stats.ttest_1samp(differences, 0).pvalue)


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
    differences: Mapping[Key, Sequence[float]],
) -> dict[Key, tuple[str, float]]:
    """Judge a family of claims, each that a mean difference is above 0.

    The probability of one or more wrong verdicts among them is below 5 %.

    Args:
        differences (Mapping[Key, Sequence[float]]): Paired differences, by claim; of
            none, if it has not been measured.

    Returns:
        dict[Key, tuple[str, float]]: By claim, `'holds'`, `'does not hold'` or
        `'cannot be told'`, and the p-value adjusted by Holm.
    """
    adjusted = holm([p_value(values) for values in differences.values()])
    verdicts = {}
    for (claim, values), p in zip(differences.items(), adjusted, strict=True):
        told = 'holds' if sum(values) > 0 else 'does not hold'
        verdicts[claim] = (told if p < 0.05 else 'cannot be told', p)
    return verdicts
