"""Fusion of the scores that several networks gave to the same clips."""

import io
import pickle
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from mmaction.evaluation import mean_class_accuracy, top_k_accuracy
from scipy.special import softmax

from repflow_mm.errors import InputError, MissingFileError, shorten
from repflow_mm.packed import score_and_label

# What `DumpResults` pickles, beside plain Python.
_ALLOWED = {
    ('_codecs', 'encode'),  # how protocol 2 writes bytes
    ('collections', 'OrderedDict'),
    ('torch._utils', '_rebuild_tensor_v2'),
    ('torch', 'Size'),
}


@dataclass(frozen=True)
class Scores:
    """The scores of one test.

    Args:
        file (str): Where they are from, for messages.
        names (tuple[str, ...]): The file name of each clip; empty if the test did not
            record them, as MMAction2's.
        scores (np.ndarray): `(n, classes)`.
        labels (np.ndarray): `(n,)`; -1 where a list has none.
        unreadable (np.ndarray): `(n,)`, bool: videos that could not be read and count
            as wrong; the label has the lowest score.
    """

    file: str
    names: tuple[str, ...]
    scores: np.ndarray
    labels: np.ndarray
    unreadable: np.ndarray

    def are_probabilities(self) -> bool:
        """Whether the scores of each clip are probabilities, not logits."""
        read = self.scores[~self.unreadable]
        return (
            not len(read) or read.min() >= 0 and np.allclose(read.sum(1), 1, atol=1e-3)
        )

    def labelled(self) -> bool:
        """Whether every clip has a label: -1 stands for none."""
        return bool((self.labels >= 0).all())

    def accuracy(self) -> dict[str, float]:
        """Top-1, top-5 and mean class accuracy, in [0, 1], of labelled clips."""
        top1, top5 = top_k_accuracy(self.scores, self.labels, (1, 5))
        mean = mean_class_accuracy(self.scores, self.labels)
        return {'top-1': top1, 'top-5': top5, 'mean class': float(mean)}


class _Unpickler(pickle.Unpickler):
    """Reads tensors and plain Python; runs nothing else that a file names."""

    def find_class(self, module: str, name: str):
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return lambda data: torch.load(io.BytesIO(data), 'cpu', weights_only=True)
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f'it pickles {module}.{name}')
        return super().find_class(module, name)


def read_scores(path: str | Path) -> Scores:
    """Read what `test --dump` wrote, here or in MMAction2.

    Args:
        path (str | Path): A pickle of a list of samples.

    Returns:
        Scores: Of its samples.

    Raises:
        MissingFileError: If there is no such file.
        InputError: If it holds something else; code in it is not run.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'there are no scores at {path}')
    try:
        with path.open('rb') as file:
            samples = _Unpickler(file).load()
        pairs = [score_and_label(sample) for sample in samples]
        scores = np.stack([np.asarray(score, np.float64) for score, _ in pairs])
        labels = np.array([int(label) for _, label in pairs])
        names = [s.get('filename') for s in samples]
        unreadable = np.array([bool(s.get('bad_videos')) for s in samples])
    except Exception as error:  # any, from a damaged file
        what = shorten(str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f'{path} holds no scores of clips with one label each, as test --dump '
            f'writes them ({what})'
        ) from error
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise InputError(f'{path} holds scores that are not finite numbers per class')
    names = [] if None in names else _numbered(names)
    return Scores(str(path), tuple(names), scores, labels, unreadable)


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, from the second time on with a number: a list may repeat a video."""
    times: Counter[str] = Counter()
    numbered = []
    for name in names:
        times[name] += 1
        numbered.append(name if times[name] == 1 else f'{name} ({times[name]})')
    return numbered


def aligned(tests: Sequence[Scores]) -> list[Scores]:
    """Bring tests of the same clips into the order of the first.

    Tests without names of clips are taken as they are, if their labels agree.

    Args:
        tests (Sequence[Scores]): At least one.

    Returns:
        list[Scores]: The same, in one order.

    Raises:
        InputError: If they are of different clips, labels or numbers of classes, or if
            one holds probabilities and another logits.
    """
    first, result = tests[0], [tests[0]]
    for test in tests[1:]:
        which = f'{first.file} and {test.file}'
        if bool(first.names) != bool(test.names):
            raise InputError(
                f'of {which}, one does not name its clips: run both tests with the '
                'same tools'
            )
        if first.names:
            lacking = sorted(set(first.names) ^ set(test.names))
            if lacking:
                raise InputError(
                    f'{which} are of different clips: {len(lacking)} are in only one '
                    f'(first: {lacking[0]})'
                )
            place = {name: n for n, name in enumerate(test.names)}
            order = [place[name] for name in first.names]
            test = replace(
                test,
                names=first.names,
                scores=test.scores[order],
                labels=test.labels[order],
                unreadable=test.unreadable[order],
            )
        if not np.array_equal(test.labels, first.labels):
            raise InputError(
                f'{which} have different labels: they are of different clips'
            )
        _check_alike(first, test)
        result.append(test)
    return result


def _check_alike(first: Scores, test: Scores) -> None:
    which = f'{first.file} and {test.file}'
    counts = first.scores.shape[1], test.scores.shape[1]
    if counts[0] != counts[1]:
        raise InputError(
            f'{which} have different numbers of classes: {counts[0]} and {counts[1]}'
        )
    if test.are_probabilities() != first.are_probabilities():
        raise InputError(
            f'of {which}, one holds probabilities and one logits: run both tests with '
            'the same average_clips'
        )


def fused(tests: Sequence[Scores], weights: Sequence[float], probabilities: bool):
    """The weighted mean of the scores.

    Args:
        tests (Sequence[Scores]): Of the same clips, see :func:`aligned`.
        weights (Sequence[float]): One per test, not all 0.
        probabilities (bool): Whether scores are logits, to be turned into probabilities
            before.

    Returns:
        Scores: Of the first test's clips; one that any test could not read is wrong.
    """
    share = np.array(weights) / sum(weights)
    if probabilities and tests[0].are_probabilities():
        raise InputError(
            f'{tests[0].file} already holds probabilities: leave out --softmax'
        )
    parts = [softmax(t.scores, 1) if probabilities else t.scores for t in tests]
    total = sum(w * part for w, part in zip(share, parts, strict=True))
    unreadable = np.any([test.unreadable for test in tests], axis=0)
    rows = np.flatnonzero(unreadable & (tests[0].labels >= 0))
    total[rows, tests[0].labels[rows]] = total[rows].min(1) - 1
    return replace(tests[0], file='fused', scores=total, unreadable=unreadable)


def chosen_weights(
    validation: Sequence[Scores], tests: Sequence[Scores], probabilities: bool
) -> tuple[float, float]:
    """The weights of two tests that are best on a validation split.

    In steps of 0.05; among equally accurate ones, those nearest to equal weights.

    Args:
        validation (Sequence[Scores]): Both networks on the validation split.
        tests (Sequence[Scores]): Both networks on the clips that will be reported.
        probabilities (bool): See :func:`fused`.

    Returns:
        tuple[float, float]: The weights; their sum is 1.

    Raises:
        InputError: If the validation split has clips of the test, clips without labels
            or other classes, or if one holds probabilities and another logits.
    """
    first, test = validation[0], tests[0]
    if not first.labelled():
        raise InputError(
            f'{first.file} has clips without labels: choose weights on a split that '
            'has labels'
        )
    _check_alike(first, test)
    common = set(first.names) & set(test.names)
    if not first.names and np.array_equal(first.scores, test.scores):
        common = {first.file}
    if common:
        raise InputError(
            f'{first.file} has clips of {test.file}, on which the result is measured '
            f'(first: {min(common)}): choose weights on another split'
        )

    def quality(weight: float) -> tuple[float, float]:
        pair = fused(validation, (1 - weight, weight), probabilities)
        right = pair.scores.argmax(1) == pair.labels
        return right.mean(), -abs(weight - 0.5)

    weight = max((n / 20 for n in range(21)), key=quality)
    return 1 - weight, weight
