"""Flow of flow: frames, parameters, sharing, fusion, errors."""

import copy

import pytest
import torch
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.layers import (
    FlowOfFlow,
    FlowTap,
    RepresentationFlow,
    slow_parameters,
)


def stack(**options) -> FlowOfFlow:
    return FlowOfFlow(
        **dict(dict(in_channels=6, flow_channels=4, n_iters=2), **options)
    )


@pytest.mark.parametrize('num_flows', [1, 2, 3])
@pytest.mark.parametrize('conv', [True, False])
@pytest.mark.parametrize('shared', [True, False])
@pytest.mark.parametrize('between', ['wide', 'narrow'])
def test_frames_and_gradients(num_flows, conv, shared, between):
    options = dict(num_flows=num_flows, conv=conv, shared=shared, between=between)
    module = stack(**options)
    x = torch.rand(2, 6, 6, 7, 8)
    out = module(x)
    assert out.shape == (2, 6, 6 - num_flows, 7, 8)
    out.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    same = stack(temporal='same', **options)
    assert same(x).shape == x.shape


@pytest.mark.parametrize('between', ['wide', 'narrow'])
def test_one_flow_is_the_flow_layer(between):
    torch.manual_seed(3)
    one = stack(num_flows=1, between=between).eval()
    layer = RepresentationFlow(6, flow_channels=4, n_iters=2).eval()
    weights = one.state_dict()
    layer.load_state_dict({k.removeprefix('flows.0.'): v for k, v in weights.items()})
    x = torch.rand(1, 6, 4, 7, 8)
    torch.testing.assert_close(one(x), layer(x), rtol=0, atol=0)


def test_a_convolution_may_follow_the_last_flow():
    module = stack(num_flows=1, conv_after=True).eval()
    plain = stack(num_flows=1).eval()
    weights = module.state_dict()
    plain.load_state_dict({k: weights[k] for k in plain.state_dict()})
    x = torch.rand(1, 6, 4, 7, 8)
    torch.testing.assert_close(module(x), module.after(plain(x)))
    assert count(module) == count(plain) + 6 * 6 * 9 + 2 * 6
    with pytest.raises(InputError, match='would not learn'):
        stack(num_flows=1, conv_after=True, fusion='add')
    with pytest.raises(InputError, match='wide'):
        stack(conv_after=True, between='narrow')


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_sharing_saves_the_parameters_of_a_layer():
    layer = RepresentationFlow(6, flow_channels=4)
    plain = dict(conv=False, num_flows=3)
    assert count(stack(**plain)) == 3 * count(layer)
    assert count(stack(shared=True, **plain)) == count(layer)
    kernel = 6 * 6 * 9 + 2 * 6
    assert count(stack(num_flows=3)) == 3 * count(layer) + 2 * kernel


def test_between_narrow_flows_are_the_convolutions_of_the_released_networks():
    module = stack(num_flows=2, between='narrow')
    three, one = module.convs[0]
    assert three.weight.shape == (8, 8, 1, 3, 3) and one.weight.shape == (4, 8, 1, 1, 1)
    ends = 6 * 4 + 8 * 6 + 2 * 6  # as RepFlow's
    between = 8 * 8 * 9 + 8 * 4
    assert count(module) == ends + between + 2 * count(module.flows[0].solver)
    fof = stack(num_flows=2, between='narrow', conv=False)
    assert count(fof) == count(module) - 8 * 8 * 9


def test_the_flows_of_narrow_maps_are_drawn_and_learn_slowly():
    module = stack(between='narrow').eval()
    x = torch.rand(1, 6, 4, 7, 8)
    with FlowTap(nn.Sequential(module)) as tap:
        module(x)
    assert list(tap.layers) == ['0.flows.0', '0.flows.1']
    first, second = (tap.flow(name) for name in tap.layers)
    assert first.shape == (1, 4, 3, 7, 8, 2) and second.shape == (1, 4, 2, 7, 8, 2)
    one = RepresentationFlow(6, flow_channels=4, n_iters=2)
    one.reduce = module.reduce
    torch.testing.assert_close(torch.stack(one.flow(x), -1), first)
    assert len(slow_parameters(module)) == 2 * len(one.slow_parameters())


def test_each_flow_layer_learns_for_itself():
    module = stack(conv=False)
    with torch.no_grad():
        module.flows[0].solver.tau.fill_(0.5)
    assert module.flows[1].solver.tau == 0.25


def test_add_starts_as_the_identity():
    x = torch.rand(1, 6, 4, 7, 8)
    module = stack(fusion='add', temporal='same')
    torch.testing.assert_close(module(x), x)
    with pytest.raises(ValueError, match='zero_init_residual=False'):
        stack(fusion='add', shared=True)
    stack(fusion='add', shared=True, zero_init_residual=False)
    narrow = stack(fusion='add', temporal='same', shared=True, between='narrow')
    torch.testing.assert_close(narrow(x), x)


@pytest.mark.parametrize(
    'fusion', ['none', 'add', 'multiply', 'layer_multiply', 'concat']
)
@pytest.mark.parametrize('kind', [RepresentationFlow, FlowOfFlow])
def test_every_fusion_keeps_the_shape_and_learns(kind, fusion):
    module = kind(
        6, flow_channels=4, n_iters=2, fusion=fusion, zero_init_residual=False
    )
    x = torch.rand(2, 6, 5, 7, 8)
    out = module(x)
    assert out.shape == (2, 6, 5 - (kind is FlowOfFlow) - 1, 7, 8)
    out.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_what_fusion_computes():
    x = torch.rand(2, 6, 5, 7, 8)
    bare = RepresentationFlow(6, flow_channels=4, n_iters=2).eval()
    motion = bare(x)

    def fused(kind):
        module = RepresentationFlow(
            6, flow_channels=4, n_iters=2, fusion=kind, zero_init_residual=False
        )
        module.load_state_dict(bare.state_dict(), strict=False)
        return module.eval(), module.eval()(x)

    first = x[:, :, :-1]
    torch.testing.assert_close(fused('add')[1], first + motion)
    torch.testing.assert_close(fused('multiply')[1], first * motion)
    module, out = fused('layer_multiply')
    torch.testing.assert_close(out, first * module.fuse.layer(motion))
    module, out = fused('concat')
    both = torch.cat((first, motion), dim=1)
    torch.testing.assert_close(out, module.fuse.layer(both))


def test_deepcopy_and_state_dict():
    for shared in (True, False):
        module = stack(num_flows=3, shared=shared).eval()
        x = torch.rand(1, 6, 5, 7, 8)
        other = stack(num_flows=3, shared=shared).eval()
        other.load_state_dict(module.state_dict())
        torch.testing.assert_close(other(x), module(x), rtol=0, atol=0)
        torch.testing.assert_close(copy.deepcopy(module)(x), module(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('match', 'options', 'shape'),
    [
        ('num_flows must be at least 1', dict(num_flows=0), None),
        ('temporal must be one of', dict(temporal='full'), None),
        ('between must be one of', dict(between='thin'), None),
        ('FcF has no budget', dict(budget='equal'), None),
        ('fusion must be one of', dict(fusion='sum'), None),
        (
            'FlowOfFlow .* clip of 3: sample at least 4 frames',
            dict(num_flows=3),
            (1, 6, 3, 8, 8),
        ),
        ('got shape', dict(), (1, 6, 8, 8)),
        ('built for 6 channels and got 5', dict(), (1, 5, 4, 8, 8)),
    ],
)
def test_wrong_input(match, options, shape):
    with pytest.raises(ValueError, match=match):
        stack(**options)(torch.rand(shape))
