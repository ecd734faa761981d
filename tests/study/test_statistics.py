"""Means over seeds, pooled over splits, paired differences, and the table."""

import math

import pytest

from repflow_mm.study import table as tables
from repflow_mm.study.run import METRIC, Result
from repflow_mm.study.statistics import estimate, paired, pooled


def result(top1: float, clips: int = 10, seconds: float | None = 60.0) -> Result:
    return Result({METRIC: top1}, clips, seconds)


def test_the_interval_is_students():
    # t(0.975, 2) = 4.3027; standard deviation 1, so the standard error is 1 / sqrt(3).
    found = estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.n) == (2, 3)
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert math.isinf(estimate([0.5]).half_width)


def test_an_accuracy_counts_each_sample_once_and_needs_all_splits():
    results = {
        ('a', 0): result(1.0, clips=10),
        ('b', 0): result(0.5, clips=30),
        ('a', 1): result(1.0, clips=10),
    }
    assert pooled(results, ['a', 'b']) == {0: 25 / 40}


def test_differences_pair_the_seeds():
    differences = paired({0: 0.9, 1: 0.8, 2: 0.7}, {0: 0.8, 2: 0.9, 3: 0.1})
    assert differences == pytest.approx([0.1, -0.2])


class FakeRun:
    def __init__(self, stem: str, seed: int, found: Result | None) -> None:
        self.stem, self.split, self.seed, self.found = stem, None, seed, found

    def result(self) -> Result | None:
        return self.found


def test_the_table_says_how_many_seeds_are_there():
    def arm(name, *accuracies):
        return tables.Arm(
            [
                FakeRun(name, seed, None if top1 is None else result(top1))
                for seed, top1 in enumerate(accuracies)
            ]
        )

    rows = tables.table(
        [arm('rgb', 0.5, 0.6, 0.7), arm('flow', 0.6, None, 0.9), arm('none', None)]
    ).splitlines()[2:]
    assert rows[0] == '| rgb | 60.0 ± 24.8 |  | 3 of 3 | 60 |'
    # Differences of 0.1 and 0.2: t(0.975, 1) = 12.706, standard error 0.05.
    assert rows[1] == '| flow | 75.0 ± 190.6 | +15.0 ± 63.5 | 2 of 3 | 60 |'
    assert rows[2] == '| none | - | - | 0 of 1 | - |'
