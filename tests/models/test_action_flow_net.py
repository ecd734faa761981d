"""ActionFlowNet: its loss in training, its target, nothing of it at test."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper

from repflow_mm.errors import InputError
from repflow_mm.models.action_flow_net import ActionFlowNet, _error
from repflow_mm.models.flow_target import FlowTarget

PREPROCESSOR = dict(
    type='FlowTarget',
    n_iters=5,
    mean=[120.0] * 3,
    std=[60.0] * 3,
    format_shape='NCTHW',
)
MODEL = dict(
    type='Recognizer3D',
    backbone=dict(
        type='RepFlowResNet', depth=18, pretrained=None, flow=None, out_indices=(1, 3)
    ),
    neck=dict(type='ActionFlowNet', in_channels=(128, 512), width=8),
    cls_head=dict(type='I3DHead', num_classes=5, in_channels=512, average_clips='prob'),
    data_preprocessor=PREPROCESSOR,
)


def texture(size: int = 64) -> torch.Tensor:
    noise = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        noise = torch.nn.functional.avg_pool2d(noise, 9, 1, 4)
    return 255 * (noise - noise.min()) / (noise.max() - noise.min())


def moving(step: int, frames: int = 3) -> torch.Tensor:
    """A uint8 clip `(1, 3, T, H, W)` whose texture moves right."""
    clip = torch.cat([texture().roll(n * step, -1) for n in range(frames)])
    return clip.transpose(0, 1).expand(1, 3, -1, -1, -1).to(torch.uint8)


def batch(count: int = 2) -> dict:
    samples = [ActionDataSample().set_gt_label(n) for n in range(count)]
    return dict(inputs=[moving(2) for _ in samples], data_samples=samples)


def test_a_step_trains_the_head_and_reports_its_loss(plugin):
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    before = {k: v.clone() for k, v in model.named_parameters()}
    model.train()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    losses = model.train_step(batch(), wrapper)
    assert {'loss_cls', 'loss_flow', 'loss'} <= losses.keys()
    torch.testing.assert_close(losses['loss'], losses['loss_cls'] + losses['loss_flow'])
    for name, value in model.named_parameters():
        assert value.isfinite().all() and not torch.equal(value, before[name]), name


def test_nothing_is_left_of_it_at_test(plugin):
    model = MODELS.build(MODEL).eval()
    plain = dict(MODEL, data_preprocessor=dict(PREPROCESSOR))
    plain['data_preprocessor'].pop('n_iters')
    plain['data_preprocessor']['type'] = 'ActionDataPreprocessor'
    plain['backbone'] = dict(MODEL['backbone'], out_indices=(3,))
    plain.pop('neck')
    plain = MODELS.build(plain).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    for model_ in (model, plain):
        model_.cls_head.fc_cls.weight.data.normal_(
            generator=torch.Generator().manual_seed(0)
        )
    with torch.no_grad():
        (ours,), (theirs,) = model.test_step(batch(1)), plain.test_step(batch(1))
    assert torch.equal(ours.pred_score, theirs.pred_score)
    assert 'flow_target' not in ours


def test_the_target_is_the_motion_of_the_frames():
    preprocessor = FlowTarget(
        stride=4,
        n_iters=20,
        warps=3,
        scales=2,
        mean=[120.0] * 3,
        std=[60.0] * 3,
        format_shape='NCTHW',
    )
    data = dict(inputs=[moving(2)], data_samples=[ActionDataSample()])
    (sample,) = preprocessor(data, training=True)['data_samples']
    assert sample.flow_target.shape == (1, 2, 2, 16, 16)
    inside = sample.flow_target[..., 3:-3, 3:-3]
    # Of two pixels of the frames; the seam where the texture wraps is another matter.
    assert (inside[:, 0] - 0.5).abs().median() < 0.1
    assert inside[:, 1].abs().median() < 0.1
    (sample,) = preprocessor(data)['data_samples']
    assert 'flow_target' not in sample


ZERO = dict(rtol=0, atol=1e-5)


def test_the_error_is_in_pixels_of_the_prediction():
    target = torch.zeros(1, 2, 3, 16, 32)
    target[:, 0], target[:, 1] = 8, 4
    flow = torch.zeros(1, 2, 3, 8, 8)
    flow[:, 0], flow[:, 1] = 8 / 4, 4 / 2
    torch.testing.assert_close(
        _error(flow, target), torch.tensor(0.0), rtol=0, atol=1e-5
    )
    flow[:, 0] += 3
    flow[:, 1] += 4
    torch.testing.assert_close(_error(flow, target), torch.tensor(5.0))
    target[..., :16] = torch.nan  # unknown
    flow[..., :4] = 100
    torch.testing.assert_close(_error(flow, target), torch.tensor(5.0))
    # Fewer frames: the mean motion.
    target = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(1, 2, 4, 2, 2).clone()
    flow = torch.tensor((0.5, 2.5)).view(1, 1, 2, 1, 1).expand(1, 2, 2, 2, 2)
    torch.testing.assert_close(
        _error(flow, target), torch.tensor(0.0), rtol=0, atol=1e-5
    )
    unknown = torch.full((1, 2, 2, 2, 2), torch.nan)
    assert _error(flow, unknown) == 0


def test_it_can_learn_the_flow():
    torch.manual_seed(0)
    neck = ActionFlowNet((4, 6), loss_weight=1, width=8).train()
    stages = [torch.randn(2, 4, 3, 9, 7), torch.randn(2, 6, 3, 5, 4)]
    samples = [ActionDataSample() for _ in range(2)]
    for n, sample in enumerate(samples):
        sample.flow_target = torch.full((2, 2, 9, 7), 1.0 - 2 * n)
    adam = torch.optim.Adam(neck.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        features, loss = neck(stages, samples)
        adam.zero_grad()
        loss['loss_flow'].backward()
        adam.step()
        losses.append(loss['loss_flow'].item())
    assert features is stages[-1] and losses[-1] < 0.3 * losses[0]
    assert neck.eval()(stages, samples) == (stages[-1], {})


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ('in_channels must be the channels of each stage', dict(in_channels=512)),
        ('in_channels must be an int', dict(in_channels=('128',))),
        ('loss_weight must be a number', dict(loss_weight='1')),
        ('loss_weight must be at least 0', dict(loss_weight=-1)),
        ('width must be at least 1', dict(width=0)),
    ],
)
def test_wrong_options(match, options):
    with pytest.raises(InputError, match=match):
        ActionFlowNet(**dict(dict(in_channels=(4, 6)), **options))


def test_wrong_features_and_missing_targets():
    neck = ActionFlowNet((4, 6)).train()
    stages = [torch.randn(1, c, 3, 4, 4) for c in (4, 6)]
    with pytest.raises(InputError, match=r'in_channels=\[4, 6\] but got maps of \[4\]'):
        neck(stages[0])
    with pytest.raises(InputError, match='a stage has one frame left'):
        neck.predict([maps[:, :, :1] for maps in stages])
    with pytest.raises(InputError, match="data_preprocessor.type='FlowTarget'"):
        neck(stages, [ActionDataSample()])
    with pytest.raises(InputError, match='a neck of Recognizer3D'):
        neck.agree_with(neck)
    with pytest.raises(InputError, match='stride must be at least 1'):
        FlowTarget(stride=0)
    frames = dict(inputs=[torch.zeros(4, 3, 8, 8)], data_samples=[ActionDataSample()])
    with pytest.raises(InputError, match='FlowTarget needs RGB clips'):
        FlowTarget()(frames, training=True)
