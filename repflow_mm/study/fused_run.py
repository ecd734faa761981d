"""Fuse the scores of runs that were trained apart, such as RGB and flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from repflow_mm.study.run import METRIC, Result, Run
from repflow_mm.study.score_fusion import Scores, aligned, fused, read_scores


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
        """The result, if all runs have finished; its seconds are those of all.

        Date, hardware and versions are those of the last run.
        """
        return self._result if all(run.result() for run in self.runs) else None

    @cached_property
    def _result(self) -> Result:
        tests = aligned([read_scores(run.predictions) for run in self.runs])
        scores = fused(tests, [1] * len(tests), probabilities=False)
        results = [result for run in self.runs if (result := run.result())]
        known = [r.seconds for r in results if r.seconds is not None]
        last = max(results, key=lambda result: result.date)
        return Result(
            metrics=self._metrics(scores),
            clips=len(scores.labels),
            seconds=round(sum(known), 1) if len(known) == len(results) else None,
            date=last.date,
            machine=last.machine,
        )

    def _metrics(self, scores: Scores) -> dict[str, float]:
        accuracy = scores.accuracy()
        return {METRIC: accuracy['top-1'], 'acc/mean1': accuracy['mean class']}
