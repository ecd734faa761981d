"""The confusion matrix counts clips with one label, and is no metric in the log."""

from types import SimpleNamespace as Namespace

import pytest
import torch

from repflow_mm.engine import ConfusionMatrixHook


@pytest.fixture
def evaluator(plugin):
    """With the hook's metric, and MMAction2's in the config."""
    from mmaction.evaluation import ConfusionMatrix
    from mmengine.evaluator import Evaluator

    evaluator = Evaluator([ConfusionMatrix()])
    ConfusionMatrixHook().before_test(
        Namespace(test_loop=Namespace(evaluator=evaluator))
    )
    return evaluator


def sample(label: list[int], *scores: float) -> dict:
    return dict(pred_score=torch.tensor(scores), gt_label=torch.tensor(label))


def test_a_row_is_a_true_class(evaluator):
    given = [sample([0], 0.2, 0.8), sample([1], 0.2, 0.8), sample([0], 0.6, 0.4)]
    evaluator.process(given)
    hook, metrics = ConfusionMatrixHook(), evaluator.evaluate(3)
    assert len(metrics) == 2
    hook.after_test_epoch(None, metrics)
    assert hook._matrix.tolist() == [[1, 1], [0, 1]]
    assert list(metrics) == ['confusion_matrix/result']  # the config's own


def test_clips_without_a_single_label_are_left_out(evaluator):
    both = dict(rgb=torch.rand(2), pose=torch.rand(2))
    others = [
        sample([-1], 0.2, 0.8),
        sample([0, 1], 0.2, 0.8),
        dict(pred_score=both, gt_label=torch.tensor([0])),
    ]
    del evaluator.metrics[0]
    evaluator.process(others)
    assert evaluator.evaluate(3) == {}
    evaluator.process([*others, sample([1], 0.9, 0.1)])
    ((_, matrix),) = evaluator.evaluate(4).items()
    assert matrix.tolist() == [[0, 0], [1, 0]]
