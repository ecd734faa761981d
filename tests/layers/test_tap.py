import pytest
import torch
from torch import nn

from repflow_mm.layers import (
    BottleneckMotion,
    FlowOfFlow,
    FlowTap,
    RepresentationFlow,
    motion_layers,
)


class Difference(BottleneckMotion):
    """Differences of neighbouring frames; computes no flow."""

    def motion(self, g):
        return g[:, :, 1:] - g[:, :, :-1]


class Neck(RepresentationFlow):
    """As in MMAction2: takes a list, and several views in sequence."""

    def forward(self, x):
        return super().forward(
            x[-1].unflatten(2, (-1, 4)).transpose(1, 2).flatten(0, 1)
        )


@pytest.fixture
def clip():
    return torch.rand(2, 4, 4, 8, 8)


def test_layers_of_a_layer_that_is_made_of_others():
    model = nn.Sequential(FlowOfFlow(4), Difference(4), nn.Identity())
    assert list(motion_layers(model)) == ['0.flows.0', '0.flows.1', '1']
    assert list(motion_layers(model[0])) == ['flows.0', 'flows.1']
    assert list(motion_layers(model[1])) == ['']


def test_flow_after_autocast_of_what_was_given_within_it():
    layer = RepresentationFlow(4, n_iters=3)
    clip = torch.rand(1, 4, 3, 16, 16).bfloat16()
    with FlowTap(layer) as tap, torch.autocast('cpu', torch.bfloat16):
        layer(clip)
    assert tap.inputs[''].dtype == torch.bfloat16
    torch.testing.assert_close(tap.flow(''), torch.stack(layer.flow(clip.float()), -1))


def test_flow_of_what_was_given_first(clip):
    model = nn.Sequential(FlowOfFlow(4, shared=True, temporal='same'), Difference(4))
    with FlowTap(model) as tap:
        model(clip)
        model[0](torch.rand_like(clip))
        assert torch.equal(tap.inputs['0.flows.0'], clip)
        flow = tap.flow('0.flows.0', 3)
        assert tap.flow('1') is None
        tap.clear()
        tap.listening = False
        model(clip)
        assert not tap.inputs
    expected = model[0].flows[0].flow(clip, 3)
    assert flow.dtype == torch.float32 and not flow.requires_grad
    assert torch.equal(flow, torch.stack(expected, -1))
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_neck_is_asked_for_the_clips_that_it_works_on():
    neck = Neck(4)
    maps = torch.rand(1, 4, 8, 6, 6)  # two views of four frames
    with FlowTap(neck) as tap:
        neck([None, maps])
    views = torch.stack((maps[0, :, :4], maps[0, :, 4:]))
    assert torch.equal(tap.inputs[''], views)
    assert tap.flow('').shape == (2, 32, 3, 6, 6, 2)


def test_at_once_the_flow_is_of_the_parameters_and_the_dtype_of_the_pass(clip):
    model = nn.Sequential(RepresentationFlow(4, flow_channels=3), Difference(4))
    with torch.autocast('cpu', torch.bfloat16):
        expected = torch.stack(model[0].flow(clip), -1).float()
        with FlowTap(model, at_once=True) as tap:
            model(clip)
    with torch.no_grad():
        model[0].reduce.weight.zero_()
    assert tap.flows.keys() == {'0', '1'} and tap.flows['1'] is None
    assert torch.equal(tap.flows['0'], expected) and expected.abs().max() > 0
    assert not tap.inputs
