"""Means over seeds, pooled over splits, paired differences, and the table."""

import math

import pytest
from scipy import stats

from repflow_mm.study import table as tables
from repflow_mm.study.run import METRIC, Result
from repflow_mm.study.statistics import estimate, holm, judge, p_value, paired


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
    assert tables.pooled(results, ['a', 'b']) == {0: 25 / 40}


def test_differences_pair_the_seeds():
    differences = paired({0: 0.9, 1: 0.8, 2: 0.7}, {0: 0.8, 2: 0.9, 3: 0.1})
    assert differences == pytest.approx([0.1, -0.2])


def test_p_values_are_scipys_paired_t_test():
    ours, theirs = [0.71, 0.69, 0.75, 0.72], [0.66, 0.68, 0.69, 0.70]
    differences = paired(dict(enumerate(ours)), dict(enumerate(theirs)))
    expected = stats.ttest_rel(ours, theirs).pvalue
    assert p_value(differences) == pytest.approx(expected, rel=1e-9)
    assert p_value([0.3]) == p_value([0.0, 0.0]) == 1
    assert p_value([0.1, 0.1]) == 0.5 and p_value([0.1] * 6) == 1 / 32
    # Three clips of 60 each time, though not the same number.
    same = [(k + 3) / 60 - k / 60 for k in (40, 41, 43)]
    assert len(set(same)) > 1 and p_value(same) == 0.25


def test_holm_gives_the_numbers_of_multtest():
    # From the R package multtest, as in the tests of statsmodels' multipletests.
    p_values = [
        *(
            0.838541367553,
            0.642193923795,
            0.680845947633,
            0.967833824309,
            0.71626938238,
        ),
        *(0.177096952723, 5.23656777208e-05, 0.0202732688798, 0.00028140506198),
        0.0149877310796,
    ]
    small = 5.23656777208e-04, 0.14191288215860, 2.53264555782e-03, 0.1199018486368
    assert holm(p_values) == pytest.approx([1] * 6 + list(small), rel=1e-12)
    assert holm([]) == []


def test_a_claim_holds_or_does_not_or_cannot_be_told():
    better, worse = [5.0, 6.0, 7.0, 6.0, 5.5], [-3.0, -4.0, -3.5, -3.0, -3.5]
    table = dict(better=better, worse=worse, unclear=[1.0, -1.0, 2.0], one=[9.0])
    verdicts = judge(table)
    assert [verdict for verdict, _ in verdicts.values()] == [
        'holds',
        'does not hold',
        'cannot be told',
        'cannot be told',
    ]
    # Adjusted for four claims; this has the smallest p-value, and none is below it.
    p = stats.ttest_1samp(worse, 0).pvalue
    assert verdicts['worse'][1] == pytest.approx(4 * p)
    assert verdicts['better'][1] >= verdicts['worse'][1]
    # What is told alone may not be told among many.
    hardly = [0.2, 1.8, 0.9, 1.5, 0.4]
    assert judge(dict(hardly=hardly))['hardly'][0] == 'holds'
    others = {str(k): [1.0, -1.0, k / 10] for k in range(9)}
    assert judge(dict(hardly=hardly, **others))['hardly'][0] == 'cannot be told'


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


def test_statements_are_generated_from_the_numbers():
    def arm(name, *accuracies):
        runs = [FakeRun(name, k, result(top1)) for k, top1 in enumerate(accuracies)]
        return tables.Arm(runs)

    arms = [arm('rgb', 0.5, 0.6, 0.55), arm('flow', 0.7, 0.81, 0.75), arm('off', 0.6)]
    lines = tables.statements(arms).splitlines()
    assert lines[0].startswith('- flow is better than rgb: +20.3 ± 1.4 points, n = 3')
    assert lines[1] == (
        '- whether off is better than rgb cannot be told: +10.0 points, n = 1, p = 1 '
        '(Holm)'
    )
    assert tables.statements(arms[:1]) == ''
