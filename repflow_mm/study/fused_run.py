"""Fuse the scores of runs that were trained apart, such as RGB and flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from repflow_mm.study.run import METRIC, Result, Run
from repflow_mm.study.score_fusion import aligned, fused, read_scores


@dataclass(frozen=True)
class FusedRun:
    """The mean of the scores of several runs on one split with one seed.

    Nothing is trained: it has a result as soon as all of them have theirs.

    Args:
        runs (Sequence[Run]): Of different configs, with the same split and seed.
    """

    runs: Sequence[Run]

    @property
    def stem(self) -> str:
        """Names of the configs."""
        return ' + '.join(run.stem for run in self.runs)

    @property
    def split(self) -> str | None:
        """The split of all runs."""
        return self.runs[0].split

    @property
    def seed(self) -> int:
        """The seed of all runs."""
        return self.runs[0].seed

    def result(self) -> Result | None:
        """The result, if all runs have finished; its seconds are those of all."""
        return self._result if all(run.result() for run in self.runs) else None

    @cached_property
    def _result(self) -> Result:
        tests = aligned([read_scores(run.predictions) for run in self.runs])
        accuracy = fused(tests, [1] * len(tests), probabilities=False).accuracy()
        times = [result.seconds for run in self.runs if (result := run.result())]
        known = [seconds for seconds in times if seconds is not None]
        return Result(
            metrics={METRIC: accuracy['top-1'], 'acc/mean1': accuracy['mean class']},
            clips=len(tests[0].labels),
            seconds=round(sum(known), 1) if len(known) == len(times) else None,
        )
