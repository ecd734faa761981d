"""Accuracies over seeds: means, paired differences and their intervals."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from repflow_mm.study.run import METRIC, Result


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
