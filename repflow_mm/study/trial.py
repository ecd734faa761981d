"""One run of a claim: an arm on a set with a seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from repflow_mm.config.flow_stream import flow_steps
from repflow_mm.study.fused_run import FusedRun
from repflow_mm.study.run import METRIC, Run
from repflow_mm.study.score_fusion import Scores, read_scores
from repflow_mm.synthetic import KINDS, MotionSet

NLL = 'nll'  # of the true class, in nats


@dataclass(frozen=True)
class Trial(Run):
    """One run of a claim.

    All arms have the same clips, made with the seed, in the same order, with the same
    crops. Start weights are drawn with the seed too, but not the same for networks that
    differ in their layers.

    Args:
        claim (str): Name of the claim.
        scale (str): Name of the scale.
        set (str): Name of the set.
        arm (str): Name of the arm.
        videos (MotionSet): The set, made with the run's seed.
        digest (str): Hash of the config and the set, whatever their folders.
    """

    claim: str
    scale: str
    set: str
    arm: str
    videos: MotionSet
    digest: str

    def __str__(self) -> str:
        return f'{self.claim}: {self.arm}, on {self.set}, seed {self.seed}'

    @property
    def key(self) -> tuple:
        """What identifies the run, also when its config changes."""
        return self.claim, self.scale, self.set, self.arm, self.seed

    @cached_property
    def folder(self) -> Path:
        """Where the run writes, wherever the folder of the study is."""
        return self.root / f'{self.stem}-{self.digest}' / f'seed{self.seed}'

    @property
    def clips(self) -> Path:
        """Folder of the videos."""
        return Path(self.options['test_dataloader.dataset.ann_file']).parent

    def read_config(self) -> Config:
        """The config; it caches optical flow beside the videos."""
        cfg = super().read_config()
        for step in flow_steps([cfg.train_dataloader, cfg.test_dataloader]):
            if step.get('cache'):
                step['cache'] = str(self.clips / 'flow')
        return cfg

    def _test(self, checkpoint: Path) -> tuple[dict[str, float], int]:
        metrics, clips = super()._test(checkpoint)
        scores = read_scores(self.predictions)
        return {**metrics, **further_metrics(scores, self.videos)}, clips


@dataclass(frozen=True)
class FusedTrial(FusedRun):
    """An arm whose scores are the mean of those of other arms.

    Args:
        runs (Sequence[Trial]): Of those arms, on one set with one seed.
        arm (str): Name of this arm.
    """

    runs: Sequence[Trial]
    arm: str

    def __str__(self) -> str:
        return f'{self.claim}: {self.arm}, on {self.set}, seed {self.seed}'

    @property
    def claim(self) -> str:
        """Name of the claim."""
        return self.runs[0].claim

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.runs[0].scale

    @property
    def set(self) -> str:
        """Name of the set."""
        return self.runs[0].set

    @property
    def key(self) -> tuple:
        """See :attr:`Trial.key`."""
        return self.claim, self.scale, self.set, self.arm, self.seed

    @property
    def digest(self) -> str:
        """Hash of what the runs are."""
        return digest_of([run.digest for run in self.runs])

    def _metrics(self, scores: Scores) -> dict[str, float]:
        further = further_metrics(scores, self.runs[0].videos)
        return {**super()._metrics(scores), **further}


def further_metrics(scores: Scores, videos: MotionSet) -> dict[str, float]:
    """What a test tells beside its accuracy.

    Args:
        scores (Scores): Those of the test.
        videos (MotionSet): The set, whose levels are those of its kind.

    Returns:
        dict[str, float]: The mean negative log-likelihood, if scores are probabilities,
        and `acc/top1/LEVEL`.
    """
    found = {}
    if scores.are_probabilities():
        of_truth = scores.scores[np.arange(len(scores.labels)), scores.labels]
        tiny = np.finfo(np.float32).tiny
        found[NLL] = float(-np.log(np.maximum(of_truth, tiny)).mean())
    right = scores.scores.argmax(1) == scores.labels
    levels = np.array([videos.level(int(Path(name).stem)) for name in scores.names])
    for level in KINDS[videos.kind].levels:
        if level and level in levels:  # a small set may lack one
            found[f'{METRIC}/{level}'] = float(right[levels == level].mean())
    return found


def digest_of(content: Any) -> str:
    """A short hash of plain values and dataclasses."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:8]
