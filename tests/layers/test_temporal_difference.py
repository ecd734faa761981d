"""The difference of frames, and the gates that are made of it."""

import torch

from repflow_mm.layers import TDM, TemporalDifference
from repflow_mm.layers.tdm import enlarge, halve

X = torch.randn(2, 6, 4, 5, 7, generator=torch.Generator().manual_seed(0))


def test_the_difference_is_that_of_neighbouring_frames():
    layer = TemporalDifference(6, flow_channels=3)
    g = layer.reduce(X)
    torch.testing.assert_close(layer.motion(g), g[:, :, 1:] - g[:, :, :-1])
    torch.testing.assert_close(layer.motion(g.flip(2)), -layer.motion(g).flip(2))


def test_the_convolution_starts_as_the_difference_and_sees_the_next_frame():
    layer = TemporalDifference(6, flow_channels=3, conv=True)
    g = layer.reduce(X)
    torch.testing.assert_close(layer.motion(g), g.diff(dim=2))
    torch.nn.init.zeros_(layer.conv.weight)
    torch.testing.assert_close(layer.motion(g), -g[:, :, :-1])
    layer.reset_parameters()
    torch.testing.assert_close(layer.motion(g), g.diff(dim=2))


def test_gates_are_below_one_half_and_compare_with_both_neighbours():
    layer = TDM(6, flow_channels=3, temporal='same').eval()
    gates = layer.features(X) / X
    assert gates.abs().max() < 0.5
    back = layer.features(X.flip(2)) / X.flip(2)
    torch.testing.assert_close(back.flip(2), gates, rtol=1e-3, atol=1e-5)
    other = X.clone()
    other[:, :, 0] += 1  # the last frame of the second alone
    changed = (layer.features(other) / other - gates).abs().amax((0, 1, 3, 4)) > 1e-4
    assert changed.tolist() == [True, True, False, False]
    layer.temporal = 'valid'
    torch.testing.assert_close(layer.features(X) / X[:, :, :-1], gates[:, :, :-1])


def test_gates_of_a_new_layer_do_not_cancel_on_a_uniform_motion():
    layer = TDM(6, flow_channels=3, temporal='same')
    ramp = torch.arange(4.0).view(4, 1, 1) + X[:, :, :1]
    inner = (layer.features(ramp) / ramp)[:, :, 1:-1]
    assert inner.square().mean().sqrt() > 0.01


def test_gates_of_a_static_clip_are_zero_once_the_next_frame_is_not_convolved():
    layer = TDM(6, flow_channels=3).eval()
    static = X[:, :, :1].expand_as(X)
    assert layer.features(static).any()
    torch.nn.init.dirac_(layer.conv.weight, 3)
    assert not layer.features(static).any()


def test_means_keep_their_place():
    x = torch.arange(15.0).view(1, 1, 1, 3, 5)
    expected = torch.tensor(
        [[3, 3, 5, 5, 6.5], [3, 3, 5, 5, 6.5], [10.5, 10.5, 12.5, 12.5, 14]]
    )
    torch.testing.assert_close(enlarge(halve(x), x)[0, 0, 0], expected)
