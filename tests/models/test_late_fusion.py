"""Late fusion: losses side by side, scores averaged."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper

from repflow_mm.errors import InputError


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


def test_scores_of_each_view_are_fused_by_stream(plugin):
    from mmaction.registry import MODELS

    cfg = config()
    for stream in cfg['streams']:
        stream['cls_head']['average_clips'] = None
    model = MODELS.build(dict(cfg, weights=[1, 3])).eval()
    clips = torch.rand(1, 2, 3, 4, 64, 64)  # as many views as streams
    with torch.no_grad():
        (fused,) = model.test_step(dict(inputs=[*clips], data_samples=samples(1)))
        first, second = (
            stream(clips, samples(1), mode='predict')[0].pred_score
            for stream in model.streams
        )
    torch.testing.assert_close(fused.pred_score, (first + 3 * second) / 4)


def test_scores_are_fused_in_fp32_under_autocast(plugin):
    from mmaction.registry import MODELS

    model = MODELS.build(config()).eval()
    data = dict(inputs=list(torch.rand(1, 1, 3, 4, 64, 64)), data_samples=samples(1))
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        (sample,) = model.test_step(data)
    assert sample.pred_score.dtype == torch.float32
    assert float(sample.pred_score.sum()) == pytest.approx(1, abs=1e-5)


def test_scores_of_two_kinds_are_not_averaged(plugin):
    from mmaction.registry import MODELS

    cfg = config()
    cfg['streams'][0]['cls_head']['average_clips'] = 'score'
    with pytest.raises(InputError, match="'prob' and 'score': give all the same"):
        MODELS.build(cfg)


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


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda cfg: cfg['streams'].pop(), 'needs two streams, got 1'),
        (lambda cfg: cfg.update(weights=[1]), 'weights must be 2 numbers above 0'),
        (
            lambda cfg: cfg.update(weights=(1, 0)),
            'numbers above 0, one per',
        ),
        (lambda cfg: cfg.update(weights=2), 'sequence of numbers, got 2'),
        (
            lambda cfg: cfg['streams'][1]['cls_head'].update(num_classes=4),
            r'the streams have different classes: \[4, 5\]',
        ),
        (
            lambda cfg: cfg['streams'][1].update(checkpoint='nowhere.pth'),
            'there is no checkpoint at nowhere.pth',
        ),
    ],
)
def test_what_is_no_fusion(plugin, change, message):
    from mmaction.registry import MODELS

    cfg = config()
    change(cfg)
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)


def two_streams() -> dict:
    """RGB and flow, each with its input."""
    cfg = config()
    rgb, flow = cfg['streams']
    rgb['inputs'], flow['inputs'] = 'rgb', 'flow'
    flow['backbone'] = dict(rgb['backbone'], in_channels=2)
    preprocessor = dict(type='ActionDataPreprocessor', format_shape='NCTHW')
    cfg['data_preprocessor'] = dict(
        type='MultiModalDataPreprocessor',
        preprocessors=dict(
            rgb=dict(preprocessor, mean=[100] * 3, std=[50] * 3),
            flow=dict(preprocessor, mean=[128] * 2, std=[128] * 2),
        ),
    )
    return cfg | dict(weights=(1, 3))


def two_inputs(count: int = 2) -> dict:
    shapes = dict(rgb=(1, 3, 4, 64, 64), flow=(1, 2, 3, 64, 64))
    inputs = {
        name: [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(count)]
        for name, shape in shapes.items()
    }
    return dict(inputs=inputs, data_samples=samples(count))


def test_two_streams_from_two_checkpoints(plugin, tmp_path):
    from mmaction.registry import MODELS

    cfg = two_streams()
    apart = []
    for n, stream in enumerate(cfg['streams']):
        alone = {k: v for k, v in stream.items() if k != 'inputs'}
        apart.append(MODELS.build(copy.deepcopy(alone)).eval())
        stream['checkpoint'] = str(tmp_path / f'{n}.pth')
        torch.save(dict(state_dict=apart[-1].state_dict()), stream['checkpoint'])
    model = MODELS.build(copy.deepcopy(cfg))
    model.init_weights()  # as in training; it keeps what was loaded
    model.eval()
    data = two_inputs()
    with torch.no_grad():
        clips = model.data_preprocessor(copy.deepcopy(data))['inputs']
        parts = [
            [s.pred_score.clone() for s in net(clips[name], samples(2), mode='predict')]
            for net, name in zip(apart, ('rgb', 'flow'), strict=True)
        ]
        found = model.test_step(data)
    assert clips['flow'].min() >= -1 and clips['flow'].max() < 1
    for sample, rgb, flow in zip(found, *parts, strict=True):
        torch.testing.assert_close(sample.pred_score, (rgb + 3 * flow) / 4)
    cfg['streams'].reverse()
    cfg['streams'][0]['checkpoint'] = str(tmp_path / '0.pth')  # of RGB, for flow
    with pytest.raises(ValueError, match=r'0\.pth is of another architecture'):
        MODELS.build(cfg)


def test_two_streams_learn_and_need_their_inputs(plugin):
    from mmaction.registry import MODELS

    model = MODELS.build(two_streams())
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    losses = model.train_step(two_inputs(), optimizer)
    assert all(torch.isfinite(value) for value in losses.values())
    clips = model.data_preprocessor(two_inputs())['inputs']
    with pytest.raises(ValueError, match="takes inputs='flow', but .* packs rgb: see"):
        model(dict(rgb=clips['rgb']))
    with pytest.raises(ValueError, match="takes inputs='rgb', but .* packs one input"):
        model(clips['rgb'])
    shared = MODELS.build(config())
    with pytest.raises(ValueError, match='the shared input, but .* packs rgb, flow'):
        shared(clips)
