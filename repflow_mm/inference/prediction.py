"""The prediction of a network for a whole video."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """A class and its score in [0, 1]."""

    label: int
    name: str
    score: float


class Segment(NamedTuple):
    """A part of a video, in seconds, with its top class and that class's mean score."""

    start: float
    end: float
    label: int
    name: str
    score: float


@dataclass(frozen=True, repr=False)
class Prediction:
    """The scores of consecutive windows of a video.

    Args:
        classes (tuple[str, ...]): Names of the `K` classes.
        windows (np.ndarray): `(W, 2)`, first and last frame of each in seconds.
        window_scores (np.ndarray): `(W, K)`, probabilities of each window.
    """

    classes: tuple[str, ...]
    windows: np.ndarray
    window_scores: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """`(K,)`, averaged over windows."""
        return self.window_scores.mean(axis=0)

    @property
    def segments(self) -> list[Segment]:
        """Runs of windows with the same top class, in order and without overlap."""
        labels = self.window_scores.argmax(axis=1)
        firsts = np.flatnonzero(np.diff(labels, prepend=-1))
        runs = np.split(np.arange(len(labels)), firsts[1:])
        segments: list[Segment] = []
        for run in runs:
            label = int(labels[run[0]])
            # The last window may overlap the one before.
            start = float(self.windows[run[0], 0])
            start = max(start, segments[-1].end) if segments else start
            score = float(self.window_scores[run, label].mean())
            end = float(self.windows[run[-1], 1])
            segments.append(Segment(start, end, label, self.classes[label], score))
        return segments

    def top(self, count: int = 5) -> list[Answer]:
        """The classes with the highest scores, best first."""
        scores = self.scores
        labels = map(int, scores.argsort()[::-1][:count])
        return [Answer(k, self.classes[k], float(scores[k])) for k in labels]

    def __repr__(self) -> str:
        lines = [f'  {100 * score:5.1f} %  {name}' for _, name, score in self.top()]
        start, end = self.windows[0, 0], self.windows[-1, 1]
        heading = f'Prediction from {start:.2f} s to {end:.2f} s, {len(self.windows)} '
        return '\n'.join([f'{heading}window{"s" * (len(self.windows) > 1)}', *lines])
