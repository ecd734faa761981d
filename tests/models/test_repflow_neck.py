"""The neck in MMAction2's recognizers: one train step and one test step each."""

from unittest.mock import MagicMock

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model.wrappers import is_model_wrapper
from mmengine.optim import OptimWrapper

HEAD = dict(num_classes=5, dropout_ratio=0, average_clips='prob')
NECK = dict(type='RepFlow', in_channels=512, flow_channels=4, n_iters=2)


def steps(model, inputs: torch.Tensor) -> torch.Tensor:
    """Train step with gradients, then a test step; scores of the clips."""
    assert not is_model_wrapper(model)
    samples = [ActionDataSample().set_gt_label(n % 5) for n in range(len(inputs))]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = model.train_step(
        dict(inputs=list(inputs), data_samples=samples), OptimWrapper(optimizer)
    )
    assert torch.isfinite(losses['loss'])
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    model.eval()
    with torch.no_grad():
        out = model.test_step(dict(inputs=list(inputs), data_samples=samples))
    scores = torch.stack([sample.pred_score for sample in out])
    torch.testing.assert_close(scores.sum(1), torch.ones(len(inputs)))
    return scores


@pytest.mark.parametrize('test_cfg', [None, dict(max_testing_views=2)])
def test_recognizer_3d(plugin, test_cfg):
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(type='RepFlowResNet', depth=18, flow=None),
            neck=NECK,
            cls_head=dict(type='I3DHead', in_channels=512, **HEAD),
            test_cfg=test_cfg,
        )
    )
    clips = 1 if test_cfg else 2  # views in parts need a batch of one
    views = torch.rand(clips, 4, 3, 3, 64, 64)
    if test_cfg is None:
        steps(model, views)
        assert model.neck.solver.tau.grad is not None
        return
    model.eval()
    samples = [ActionDataSample().set_gt_label(0)]
    with torch.no_grad():
        parts = model.test_step(dict(inputs=list(views), data_samples=samples))
        parts = parts[0].pred_score.clone()
        model.test_cfg = None
        whole = model.test_step(dict(inputs=list(views), data_samples=samples))
    torch.testing.assert_close(parts, whole[0].pred_score)


def test_recognizer_2d(plugin):
    model = MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(type='ResNet', depth=18, out_indices=(2, 3)),
            neck=NECK,
            cls_head=dict(type='TSNHead', in_channels=512, **HEAD),
        )
    )
    steps(model, torch.rand(2, 4, 3, 64, 64))
    assert model.neck.solver.tau.grad is not None


def test_recognizer_2d_with_one_output_says_what_to_do(plugin):
    model = MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(type='ResNet', depth=18),
            neck=NECK,
            cls_head=dict(type='TSNHead', in_channels=512, **HEAD),
        )
    )
    with pytest.raises(ValueError, match='give the backbone two out_indices'):
        model.train_step(
            dict(
                inputs=[torch.rand(4, 3, 64, 64)] * 2,
                data_samples=[ActionDataSample().set_gt_label(0)] * 2,
            ),
            MagicMock(),
        )


def test_the_contract(plugin):
    neck = MODELS.build(NECK)
    feature, loss_aux = neck(torch.rand(1, 512, 3, 4, 4), data_samples=None)
    assert feature.shape == (1, 512, 2, 4, 4) and loss_aux == {}
    feature, _ = neck([torch.rand(1, 8, 3, 8, 8), torch.rand(1, 512, 3, 4, 4)])
    assert feature.shape == (1, 512, 1, 4, 4)
