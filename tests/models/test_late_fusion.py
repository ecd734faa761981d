"""Late fusion: losses side by side, scores averaged."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper


def config(streams: int = 2) -> dict:
    stream = dict(
        type='Recognizer3D',
        backbone=dict(type='RepFlowResNet', depth=18, flow=None),
        cls_head=dict(
            type='I3DHead',
            num_classes=5,
            in_channels=512,
            dropout_ratio=0,
            average_clips='prob',
        ),
    )
    flow = copy.deepcopy(stream)
    flow['backbone']['flow'] = dict(flow_channels=4, n_iters=2)
    preprocessor = dict(type='ActionDataPreprocessor', format_shape='NCTHW')
    streams = [stream, flow][:streams]
    return dict(type='LateFusion', streams=streams, data_preprocessor=preprocessor)


def samples(count: int) -> list:
    from mmaction.structures import ActionDataSample

    return [ActionDataSample().set_gt_label(n) for n in range(count)]


def test_scores_are_the_mean_of_the_streams(plugin):
    from mmaction.registry import MODELS

    model = MODELS.build(config()).eval()
    clips = torch.rand(2, 1, 3, 4, 64, 64)
    data = dict(inputs=list(clips), data_samples=samples(2))
    with torch.no_grad():
        fused = [s.pred_score.clone() for s in model.test_step(data)]
        alone = [
            [s.pred_score.clone() for s in stream(clips, samples(2), mode='predict')]
            for stream in model.streams
        ]
    for score, *parts in zip(fused, *alone, strict=True):
        torch.testing.assert_close(score, sum(parts) / 2)
        assert not torch.allclose(parts[0], parts[1])


def test_every_stream_learns(plugin):
    from mmaction.registry import MODELS

    model = MODELS.build(config())
    before = [s.cls_head.fc_cls.weight.detach().clone() for s in model.streams]
    data = dict(inputs=list(torch.rand(2, 1, 3, 4, 64, 64)), data_samples=samples(2))
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    losses = model.train_step(data, optimizer)
    assert {'stream0.loss_cls', 'stream1.loss_cls'} <= losses.keys()
    for old, stream in zip(before, model.streams, strict=True):
        assert not torch.equal(old, stream.cls_head.fc_cls.weight)
    assert model.cls_head.num_classes == 5


def test_one_stream_is_no_fusion(plugin):
    from mmaction.registry import MODELS

    with pytest.raises(ValueError, match='needs two streams, got 1'):
        MODELS.build(config(streams=1))
