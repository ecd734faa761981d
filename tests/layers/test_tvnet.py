"""TVNet: with shared filters it is our solver; grey frames; bounds of the filters."""

import pytest
import torch

from repflow_mm.errors import InputError
from repflow_mm.layers import PixelFlow, TVNet, build_layer, slow_parameters
from repflow_mm.ops import representation_flow
from repflow_mm.ops.normalise import normalise_clip

X = torch.zeros(3, 3)
X[1, 0], X[1, 2] = -0.5, 0.5
CENTRAL = torch.stack((X, X.T))


@pytest.mark.parametrize('shared', [True, False])
@pytest.mark.parametrize('image_grad', ['central', 'sobel'])
def test_initially_it_is_our_solver_bit_for_bit(shared, image_grad):
    options = dict(flow_channels=2, n_iters=5, shared=shared, learn=not shared)
    layer = TVNet(6, image_grad=image_grad, tau=0.2, lam=0.1, theta=0.4, **options)
    x = torch.rand(1, 6, 3, 7, 9)
    maps = normalise_clip(layer.reduce(x))
    expected = representation_flow(
        *(maps[0, :, t : t + 2].transpose(0, 1) for t in (0, 1)),
        n_iters=5,
        tau=0.2,
        lam=0.1,
        theta=0.4,
        image_grad=CENTRAL if image_grad == 'central' else 'sobel',
        backend='reference',
    )
    for ours, theirs in zip(layer.flow(x), expected, strict=True):
        assert torch.equal(ours[0].transpose(0, 1), theirs)


def test_more_iterations_than_were_learned():
    x = torch.rand(1, 4, 3, 8, 8)
    for shared in (False, True):
        layer = TVNet(4, 3, n_iters=5, shared=shared)
        u_5, u_50 = layer.flow(x)[0], layer.flow(x, n_iters=50)[0]
        assert torch.equal(u_5, u_50) == (not shared)


@pytest.mark.parametrize('n_iters', [0, -1, 2.5])
def test_iterations_that_are_no_count(n_iters):
    for layer in (TVNet(2, flow_channels=2), PixelFlow(2)):
        with pytest.raises(ValueError, match='n_iters must be'):
            layer.flow(torch.rand(1, 2, 2, 7, 7), n_iters)


def test_grey_frames_of_a_pair_have_one_range():
    clip = 255 * torch.rand(1, 3, 3, 12, 14)
    layer = TVNet(3, grey=True, n_iters=10, mean=(0, 0, 0), std=(1, 1, 1)).eval()
    flow = torch.stack(layer.flow(clip))
    assert flow.shape == (2, 1, 1, 2, 12, 14) and flow.abs().max() > 0.01
    # Neither brightness nor contrast of a pair changes its flow, nor other frames.
    other = clip.clone()
    other[:, :, :2] = 20 + 0.5 * clip[:, :, :2]
    first = torch.stack(layer.flow(other))[..., 0, :, :]
    torch.testing.assert_close(first, flow[..., 0, :, :], rtol=0, atol=1e-3)
    # The luminance is all that counts.
    grey = torch.tensor((0.299, 0.587, 0.114)).view(3, 1, 1, 1)
    same = (clip * grey).sum(1, keepdim=True).expand_as(clip)
    torch.testing.assert_close(torch.stack(layer.flow(same)), flow, rtol=0, atol=1e-3)


def test_sixteen_numbers_an_iteration():
    layer = TVNet(6, flow_channels=2, n_iters=5, warps=2, scales=3)
    assert layer.solver.filters.numel() == 16 * 5 * 2 * 3
    assert list(slow_parameters(layer)) == ['solver.filters']
    assert TVNet(6, shared=True).solver.filters.numel() == 16
    assert not slow_parameters(TVNet(6, learn=False))
    few = layer.flow(torch.rand(1, 6, 2, 16, 17), n_iters=2)
    assert few[0].shape == (1, 2, 1, 16, 17) and layer.n_iters == 5


@pytest.mark.parametrize('n_iters', [5, 20, 50])
@pytest.mark.parametrize('value', [-1e3, 1e3, 'mixed'])
def test_filters_that_overshot_keep_gradients_finite(n_iters, value):
    layer = TVNet(2, flow_channels=1, n_iters=n_iters)
    filters = layer.solver.filters
    with torch.no_grad():
        if value == 'mixed':
            filters.copy_(100 * torch.randn_like(filters))
        else:
            filters.mul_(value)
    x = torch.rand(1, 2, 2, 8, 8)
    x[..., :4] = 0.5
    x.requires_grad_()
    u_x, u_y = layer.flow(x)
    assert u_x.isfinite().all() and u_y.isfinite().all()
    (u_x + u_y).sum().backward()
    assert x.grad.isfinite().all() and filters.grad.isfinite().all()


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ('remove flow_channels and budget', dict(grey=True, flow_channels=8)),
        ('remove flow_channels and budget', dict(grey=True, budget='equal')),
        ('grey must be True or False', dict(grey='yes')),
        ('mean must have three numbers', dict(grey=True, mean=(1, 2))),
        ('std must be positive', dict(grey=True, std=(1, 0, 1))),
        ('std must be a sequence of numbers', dict(grey=True, std=1)),
        ('shared must be True or False', dict(shared=1)),
        ('warps must be at least 1', dict(warps=0)),
        ('tau must be above 0', dict(tau=0)),
        ("image_grad must be one of .*'central'", dict(image_grad='forward')),
    ],
)
def test_wrong_options(match, options):
    with pytest.raises(InputError, match=match):
        build_layer(dict(options, type='TVNet'), 3)
