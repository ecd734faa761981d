"""MotionSqueeze: its displacement as flow, its statistics, its options."""

import pytest
import torch

from repflow_mm.errors import InputError
from repflow_mm.layers import FlowTap, MotionSqueeze, build_layer


def moving(dx: int, dy: int) -> torch.Tensor:
    """Three frames of a texture that moves right by `dx` and down by `dy`."""
    first = torch.randn(1, 8, 24, 26, generator=torch.Generator().manual_seed(0))
    frames = [first.roll((n * dy, n * dx), (2, 3)) for n in range(3)]
    return torch.stack(frames, dim=2)


@pytest.mark.parametrize('d', [(0, 0), (2, -1), (-5, 7)])
def test_flow_is_the_displacement(d):
    torch.manual_seed(0)
    layer = MotionSqueeze(8).eval()
    flow = torch.stack(layer.flow(moving(*d)))
    assert flow.shape == (2, 1, 1, 2, 24, 26)
    error = flow - torch.tensor(d).view(2, 1, 1, 1, 1, 1)
    assert error[..., 7:-7, 7:-7].abs().max() < 0.05 * 7


def test_a_static_clip_moves_nowhere_and_is_surely_found():
    layer = MotionSqueeze(8).eval()
    g = layer.norm(layer.reduce(moving(0, 0)))
    u_x, u_y, confidence = layer._match(g)
    assert u_x.abs().max() < 0.05 * 7 and u_y.abs().max() < 0.05 * 7
    assert confidence.min() > 0.999


def test_looking_at_the_flow_does_not_count_as_training():
    layer, x = MotionSqueeze(8).train(), moving(1, 1)
    with FlowTap(layer, at_once=True) as tap:
        layer(x)
    state = {key: value.clone() for key, value in layer.norm.state_dict().items()}
    flow = torch.stack(layer.flow(x), dim=-1)
    torch.testing.assert_close(tap.flows[''], flow)
    for key, value in layer.norm.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert state['num_batches_tracked'] == 1


def test_published_number_of_parameters():
    count = sum(p.numel() for p in MotionSqueeze(512, fusion='add').parameters())
    fixed = 3 * 49 + 3 * 16 + 16 * 9 + 16 * 32 + 32 * 9 + 32 * 64 + 64 * 9
    norms = 2 * (64 + 16 + 32 + 64 + 512)
    assert count == 2 * 64 * 512 + fixed + norms


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ('radius must be at least 1, got 0', dict(radius=0)),
        ("sigma must be a number, got '5'", dict(sigma='5')),
        ('temperature must be above 0 and finite, got -1', dict(temperature=-1)),
    ],
)
def test_wrong_options(match, options):
    with pytest.raises(InputError, match=match):
        build_layer(dict(options, type='MotionSqueeze'), 8)
