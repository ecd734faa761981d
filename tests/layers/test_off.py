"""OFF: its derivatives obey the constraint of optical flow."""

import pytest
import torch
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.layers import OFF

VELOCITY = torch.tensor((0.75, -0.25))  # +x right, +y down, pixels per frame
SLOPE = torch.tensor((2.0, 3.0))


def moving_ramp() -> torch.Tensor:
    """A linear ramp that moves, positive everywhere: `(1, 1, 4, 6, 7)`."""
    t, y, x = torch.meshgrid(*map(torch.arange, (4, 6, 7)), indexing='ij')
    ramp = SLOPE[0] * (x - VELOCITY[0] * t) + SLOPE[1] * (y - VELOCITY[1] * t)
    return (50 + ramp)[None, None]


@pytest.mark.parametrize('spatial', ['sobel', 'diagonal'])
def test_the_constraint_holds_on_a_moving_ramp(spatial):
    layer = OFF(1, flow_channels=1, spatial=spatial)
    nn.init.ones_(layer.reduce.weight)
    with torch.no_grad():
        change, *slopes = layer.motion(layer.reduce(moving_ramp()))[0, ..., 1:-1, 1:-1]
    torch.testing.assert_close(change, torch.full_like(change, -VELOCITY @ SLOPE))
    expected = SLOPE if spatial == 'sobel' else SLOPE[:1] - SLOPE[1:]
    for slope, value in zip(slopes, expected, strict=True):
        torch.testing.assert_close(slope, value.expand_as(slope))


@pytest.mark.parametrize(('spatial', 'reduced'), [('sobel', 144), ('diagonal', 160)])
def test_widths_are_those_of_the_publication(spatial, reduced):
    layer = OFF(256, spatial=spatial)
    assert layer.reduce.out_channels == reduced and layer.expand.in_channels == 160


def test_swapped_frames_negate_the_temporal_derivative_alone():
    layer = OFF(6, flow_channels=4).eval()
    g = layer.reduce(torch.randn(1, 6, 2, 5, 7))
    there, back = layer.motion(g), layer.motion(g.flip(2))
    torch.testing.assert_close(back[:, :4], -there[:, :4])
    static = layer.motion(g[:, :, :1].expand(-1, -1, 2, -1, -1))
    assert not static[:, :4].any()
    torch.testing.assert_close(static[:, 4:], there[:, 4:])


def test_dropout_is_of_the_spatial_derivatives_in_training():
    layer = OFF(6, flow_channels=4, dropout=0.8)
    g = layer.reduce(torch.randn(1, 6, 3, 9, 9))
    motion = layer.motion(g)
    assert motion[:, 4:].eq(0).float().mean() > 0.5 > motion[:, :4].eq(0).float().mean()
    assert not layer.eval().motion(g)[:, 4:].eq(0).any()


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ("spatial must be one of .*'diagonal'", dict(spatial='code')),
        (r'dropout must be in \[0, 1\), got 1', dict(dropout=1)),
        ("dropout must be a number, got '0.8'", dict(dropout='0.8')),
    ],
)
def test_wrong_options(match, options):
    with pytest.raises(InputError, match=match):
        OFF(6, **options)
