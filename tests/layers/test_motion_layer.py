"""The layer interface: a ten-line layer, options, few frames, formats, parameters."""

import io

import pytest
import torch
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.layers import (
    FlowOfFlow,
    RepresentationFlow,
    build_layer,
    motion_prefixes,
    register_layer,
    slow_parameters,
)
from repflow_mm.layers.registry import layer_names
from tests.helpers.frame_difference import FrameDifference

SMALL = dict(flow_channels=4, n_iters=2)


@pytest.mark.parametrize('fusion', ['none', 'add', 'concat'])
@pytest.mark.parametrize(('temporal', 'frames'), [('valid', 3), ('same', 4)])
def test_a_layer_of_ten_lines(fusion, temporal, frames):
    cfg = dict(type='FrameDifference', flow_channels=4, kernel=1, fusion=fusion)
    cfg |= dict(temporal=temporal, zero_init_residual=False)
    layer = build_layer(cfg, 6)
    assert isinstance(layer, FrameDifference)
    x = torch.rand(2, 6, 4, 5, 5)
    out = layer(x)
    assert out.shape == (2, 6, frames, 5, 5)
    out.square().sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    assert layer.flow(x) is None and layer.log_scalars() == {}
    assert not slow_parameters(layer) and layer.n_iters is None


def test_names_are_taken_once():
    assert register_layer('FrameDifference')(FrameDifference) is FrameDifference
    with pytest.raises(
        ValueError, match="a motion layer named 'RepFlow' is already registered"
    ):
        register_layer('RepFlow')(FrameDifference)


@pytest.mark.parametrize(
    ('match', 'cfg'),
    [
        ('flow must be a dict', 3),
        ("flow.type must be one of .*'RepFlow'", dict(type='Flow')),
        ("RepFlow has no option 'taus', did you mean 'tau'", dict(taus=0.2)),
        (
            "FrameDifference has no option 'tau': it takes .*kernel",
            dict(type='FrameDifference', tau=0.2),
        ),
        ('n_iters must be an int, got 2.5', dict(n_iters=2.5)),
        ('n_iters must be at least 1, got 0', dict(n_iters=0)),
        ("tau must be a number, got '0.25'", dict(tau='0.25')),
        ('theta must be a number, got None', dict(theta=None)),
        ('lam must be in', dict(lam=float('nan'))),
        ('learn must be a sequence of names .* got 5', dict(learn=5)),
        ('learn must be a sequence of names .* got None', dict(learn=None)),
        ('learn must be a sequence of names', dict(learn=(1,))),
        ("flow_grad must be one of .*'forward'", dict(flow_grad='central')),
        ("image_grad must be one of .*'sobel'", dict(image_grad=None)),
        ("backend must be one of .*'reference'", dict(backend='cuda')),
        ('flow_channels must be an int', dict(flow_channels='32')),
        ("budget must be one of .*'equal'", dict(budget='same')),
        ('both set the width', dict(flow_channels=32, budget='equal')),
        ('zero_init_residual must be True or False', dict(zero_init_residual=0)),
        ('conv must be True or False', dict(type='FcF', conv=1)),
        ('n_iters must be at least 1', dict(type='FcF', n_iters=0)),
    ],
)
def test_options_are_checked_when_the_layer_is_built(match, cfg):
    with pytest.raises(InputError, match=match):
        build_layer(cfg, 6)


@pytest.mark.parametrize('channels', [3, 64, 512])
def test_the_equal_budget_is_that_of_32_flow_channels(channels):
    before = torch.get_rng_state()
    assert RepresentationFlow(channels, budget='equal').reduce.out_channels == 32
    after = torch.get_rng_state()
    torch.set_rng_state(before)
    RepresentationFlow(channels)
    assert torch.equal(after, torch.get_rng_state())  # the search draws no numbers


def test_a_budget_that_cannot_be_met():
    with pytest.raises(InputError, match='301 parameters .*=14 gives 286'):
        FrameDifference(3, budget='equal', kernel=1)


@pytest.mark.parametrize('kind', [RepresentationFlow, FlowOfFlow])
def test_a_clip_of_one_frame_has_no_motion_to_add(kind):
    x = torch.rand(2, 6, 1, 5, 5)
    options = dict(SMALL, fusion='add', temporal='same', zero_init_residual=False)
    with pytest.warns(
        UserWarning, match='needs at least 2 frames .* pass through unchanged'
    ):
        assert torch.equal(kind(6, **options)(x), x)
    for other in (dict(fusion='none'), dict(temporal='valid')):
        with pytest.raises(InputError, match='at least [23] frames'):
            kind(6, **dict(options, **other))(x)


@pytest.mark.parametrize('kind', [RepresentationFlow, FlowOfFlow])
def test_no_clips(kind):
    layer = kind(6, **SMALL).eval()
    out = layer(torch.rand(0, 6, 4, 5, 5))
    assert out.shape[:2] == (0, 6) and out.shape[3:] == (5, 5)


@pytest.mark.parametrize('kind', [RepresentationFlow, FlowOfFlow])
def test_channels_last_reaches_a_layer_in_a_2d_network(kind):
    layer = kind(6, **SMALL).eval()
    model = nn.ModuleList([nn.Conv2d(3, 6, 3), layer])
    x = torch.rand(2, 6, 4, 5, 5)
    expected = layer(x)
    keys = {name: value.shape for name, value in model.state_dict().items()}
    model.to(memory_format=torch.channels_last)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert {name: value.shape for name, value in model.state_dict().items()} == keys
    torch.testing.assert_close(layer(x), expected)
    assert layer.double()(x.double()).dtype == torch.float64


@pytest.fixture
def two_threads():
    """With one, PyTorch has a 1x1 convolution in fp32 that ignores the format."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize('name', layer_names())
@pytest.mark.parametrize('fusion', ['none', 'add'])
def test_maps_that_come_channels_last_stay_so(name, fusion, two_threads):
    """As a 2D network passes them on: frames in the batch, channels-last."""
    torch.manual_seed(0)
    layer = build_layer(dict(type=name, fusion=fusion, temporal='same'), 16)
    frames = torch.rand(2 * 5, 16, 12, 12)
    x = frames.unflatten(0, (2, 5)).transpose(1, 2)
    expected = layer.train()(x)
    last = frames.contiguous(memory_format=torch.channels_last)
    x = last.unflatten(0, (2, 5)).transpose(1, 2)
    out = layer(x)
    # Iterations amplify the rounding of a convolution that sums in another order.
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=1e-4)
    assert (
        out.transpose(1, 2)
        .flatten(0, 1)
        .is_contiguous(memory_format=torch.channels_last)
    )


def test_samples_one_by_one_under_vmap():
    layer = build_layer(dict(type='RepFlow', n_iters=2, backend='reference'), 4).eval()
    clips = torch.rand(3, 4, 3, 5, 6)
    found = torch.vmap(lambda clip: layer(clip[None])[0])(clips)
    torch.testing.assert_close(found, layer(clips), rtol=1e-4, atol=1e-5)


def test_slow_parameters_and_prefixes():
    model = nn.ModuleDict(
        dict(a=FlowOfFlow(6, **SMALL), b=FrameDifference(6, flow_channels=4))
    )
    slow = slow_parameters(model)
    names = ('tau', 'lam', 'theta', 'div_x', 'div_y')
    assert list(slow) == [f'a.flows.{i}.solver.{n}' for i in range(2) for n in names]
    assert {'a.', 'b.'} <= set(motion_prefixes(model))
    assert all(k.startswith(motion_prefixes(model)) for k in model.state_dict())


def test_an_old_checkpoint_loads_with_the_same_parameter_order():
    # Optimizer states in checkpoints identify parameters by position.
    layer = RepresentationFlow(6, **SMALL)
    names = [name for name, _ in layer.named_parameters()]
    solver = [f'solver.{n}' for n in ('tau', 'lam', 'theta', 'div_x', 'div_y')]
    assert names == [
        'reduce.weight', *solver, 'expand.weight', 'bn.weight', 'bn.bias',
    ]  # fmt: skip
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    RepresentationFlow(6, **SMALL).load_state_dict(torch.load(file, weights_only=True))
