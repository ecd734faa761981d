"""What the rows of a claim say: accuracies, differences, verdicts."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repflow_mm.study.claim import Claim, Contrast, tests_of
from repflow_mm.study.rows import Row
from repflow_mm.study.run import METRIC
from repflow_mm.study.statistics import judge, paired
from repflow_mm.study.table import markdown, percent
from repflow_mm.study.trial import NLL


@dataclass(frozen=True)
class Verdict:
    """What the rows say about one contrast on one set.

    Args:
        contrast (Contrast): The contrast.
        test (str): The set; empty if the contrast names its own.
        says (str): `'holds'`, `'does not hold'` or `'cannot be told'`.
        values (Sequence[float]): The contrast by seed, in [-1, 1] for a difference of
            two accuracies.
        p (float): p-value, adjusted by Holm for all contrasts of the claim.
    """

    contrast: Contrast
    test: str
    says: str
    values: Sequence[float]
    p: float


@dataclass(frozen=True)
class Report:
    """The rows of one claim at one scale.

    Args:
        claim (Claim): The claim.
        scale (str): Name of the scale.
        rows (Sequence[Row]): Rows of this claim and scale, of the present configs.
        seeds (int): Planned runs per arm and set.
    """

    claim: Claim
    scale: str
    rows: Sequence[Row]
    seeds: int

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets of this scale."""
        return self.claim.scales[self.scale].sets

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms of which a run has finished or failed."""
        begun = {row.arm for row in self.rows}
        return tuple(arm for arm in self.claim.arms if arm in begun)

    def not_run(self) -> str:
        """A line that names the other arms; empty without any."""
        others = [arm for arm in self.claim.arms if arm not in self.arms]
        return f'Not run: {"; ".join(others)}.' if others else ''

    def accuracies(self, arm: str, test: str) -> dict[int, float]:
        """Accuracies of an arm by seed.

        Args:
            arm (str): Name of the arm.
            test (str): A set, or `SET/LEVEL`.

        Returns:
            dict[int, float]: In [0, 1].
        """
        name, _, level = test.partition('/')
        return self._metric(arm, name, f'{METRIC}/{level}' if level else METRIC)

    def _metric(self, arm: str, name: str, metric: str) -> dict[int, float]:
        return {
            row.seed: row.metrics[metric]
            for row in self.rows
            if (row.arm, row.set) == (arm, name) and metric in row.metrics
        }

    def state(self) -> str:
        """How much of the plan is done, such as `'n = 2 of 5'`."""
        done = [
            len(self.accuracies(arm, name))
            for arm in self.claim.arms
            for name in self.sets
        ]
        least, most = min(done), max(done)
        n = f'{least}' if least == most else f'{least} to {most}'
        return f'n = {n} of {self.seeds}'

    def tests(self) -> list[str]:
        """Sets, each followed by its levels, that have accuracies in the tables."""
        sets = self.claim.sets
        return [test for name in self.sets for test in tests_of(name, sets[name])]

    def table(self) -> str:
        """The accuracies of :attr:`arms`, in Markdown: a row per set and arm.

        Intervals are Student's over seeds, 95 %. A seed makes the clips, their order
        and the start weights.
        """
        baseline = self.claim.baseline
        head = ['set', 'arm', 'paper', 'top-1 (%)', f'difference from *{baseline}*']
        head += ['NLL', 'n', 's per run']
        rows = [head, ['---'] * 2 + ['--:'] * 6]
        for test in self.tests():
            theirs = self.accuracies(baseline, test)
            for arm in self.arms:
                ours = self.accuracies(arm, test)
                difference = percent(paired(ours, theirs), '+')
                nll = seconds = ''
                if test in self.sets:
                    losses = [*self._metric(arm, test, NLL).values()]
                    nll = f'{statistics.mean(losses):.2f}' if losses else '-'
                    seconds = self._seconds(arm, test)
                accuracy, n = percent([*ours.values()]), str(len(ours))
                difference = '' if arm == baseline else difference
                paper = str(self.claim.paper.get(arm, ''))
                rows.append([test, arm, paper, accuracy, difference, nll, n, seconds])
        return markdown(rows)

    def _seconds(self, arm: str, name: str) -> str:
        times = [
            row.seconds
            for row in self.rows
            if (row.arm, row.set) == (arm, name) and row.seconds is not None
        ]
        return f'{statistics.mean(times):.0f}' if times else '-'

    def failures(self) -> list[str]:
        """A line for each run that failed."""
        return [
            f'{row.arm}, on {row.set}, seed {row.seed}: {row.reason}'
            for row in self.rows
            if row.state == 'failed'
        ]

    def verdicts(self) -> list[Verdict]:
        """A verdict for each contrast, on each set unless it names its own.

        Contrasts with an arm that has not run count in the adjustment, so that further
        runs cannot make it stricter, and are left out of the list.
        """
        cases = [
            (contrast, test)
            for contrast in self.claim.contrasts
            for test in ([''] if contrast.terms[0].test else self.sets)
            if all(self._has(term.test or test) for term in contrast.terms)
        ]
        values = {case: self._values(*case) for case in cases}
        margins = {case: case[0].margin / 100 for case in cases}
        judged = judge({c: [v - margins[c] for v in values[c]] for c in cases})
        return [
            Verdict(*case, judged[case][0], values[case], judged[case][1])
            for case in cases
            if all(term.arm in self.arms for term in case[0].terms)
        ]

    def _has(self, test: str) -> bool:
        return test.partition('/')[0] in self.sets

    def _values(self, contrast: Contrast, test: str) -> list[float]:
        """The contrast for each seed that has all its accuracies."""
        parts: list[tuple[int, Mapping[int, float]]] = [
            (term.sign, self.accuracies(term.arm, term.test or test))
            for term in contrast.terms
        ]
        seeds = set.intersection(*(set(values) for _, values in parts))
        return [
            sum(sign * part[seed] for sign, part in parts) for seed in sorted(seeds)
        ]

    def statements(self) -> str:
        """A sentence for each verdict, as a list in Markdown."""
        several = len(self.sets) > 1
        lines = []
        for verdict in self.verdicts():
            where = f' (on {verdict.test})' if verdict.test and several else ''
            line = f'- **{verdict.says}**: {verdict.contrast.text}{where}'
            if verdict.values:
                n = len(verdict.values)
                line += f': {percent(verdict.values, "+")} points, n = {n}'
                line += f', p = {verdict.p:.2g}' if n > 1 else ''
            margin = verdict.contrast.margin
            line += f'; the margin is {margin:+g} points' if margin else ''
            lines.append(line)
        return '\n'.join(lines)
