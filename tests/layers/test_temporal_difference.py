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


def test_a_gate_is_in_both_directions_and_below_a_half():
    layer = TDM(6, flow_channels=3).eval()
    torch.nn.init.normal_(layer.conv.weight)
    gates = layer.features(X) / X[:, :, :-1]
    assert gates.abs().max() < 0.5 and gates.abs().max() > 0.01
    back = layer.features(X.flip(2)) / X.flip(2)[:, :, :-1]
    torch.testing.assert_close(back.flip(2), gates, rtol=1e-3, atol=1e-5)


def test_means_keep_their_place():
    x = torch.arange(15.0).view(1, 1, 1, 3, 5)
    expected = torch.tensor(
        [[3, 3, 5, 5, 6.5], [3, 3, 5, 5, 6.5], [10.5, 10.5, 12.5, 12.5, 14]]
    )
    torch.testing.assert_close(enlarge(halve(x), x)[0, 0, 0], expected)
