"""The layer: shapes, fusion, normalisation, gradients upstream, precision."""

import copy
import io

import pytest
import torch
from torch import nn

from repflow_mm.layers import TVL1, RepresentationFlow
from repflow_mm.ops.normalise import normalise_clip


def layer(**options) -> RepresentationFlow:
    return RepresentationFlow(
        **dict(dict(in_channels=6, flow_channels=4, n_iters=3), **options)
    )


@pytest.mark.parametrize(('temporal', 'frames'), [('valid', 4), ('same', 5)])
@pytest.mark.parametrize('fusion', ['none', 'add'])
def test_shapes(temporal, frames, fusion):
    x = torch.rand(2, 6, 5, 7, 9)
    assert layer(temporal=temporal, fusion=fusion)(x).shape == (2, 6, frames, 7, 9)


def test_every_parameter_learns():
    module = layer(learn=('div', 'tau', 'lam', 'theta', 'sobel'))
    module(torch.rand(2, 6, 4, 8, 8)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_add_starts_as_the_identity():
    x = torch.rand(2, 6, 4, 8, 8)
    torch.testing.assert_close(layer(fusion='add')(x), x[:, :, :-1])
    torch.testing.assert_close(layer(fusion='add', temporal='same')(x), x)
    moved = layer(fusion='add', zero_init_residual=False)(x)
    assert not torch.allclose(moved, x[:, :, :-1])


def test_flow_is_that_of_neighbouring_frames():
    module = layer().eval()
    x = torch.rand(2, 6, 4, 8, 8)
    u_x, u_y = module.flow(x)
    assert u_x.shape == u_y.shape == (2, 4, 3, 8, 8)
    maps = normalise_clip(module.reduce(x))
    pair = module.solver(maps[1:2, :, 1], maps[1:2, :, 2])
    torch.testing.assert_close((u_x[1, :, 1], u_y[1, :, 1]), (pair[0][0], pair[1][0]))


def test_normalisation_is_per_clip():
    x = torch.randn(3, 4, 5, 6, 7) * torch.tensor((1.0, 50.0, 1e-3)).view(3, 1, 1, 1, 1)
    out = normalise_clip(x)
    low, high = out.amin((1, 2, 3, 4)), out.amax((1, 2, 3, 4))
    torch.testing.assert_close(low, torch.zeros(3))
    torch.testing.assert_close(high, torch.full((3,), 255.0))


def test_normalisation_does_not_blow_up_rounding_noise():
    x = 7 + 1e-6 * torch.rand(1, 2, 3, 4, 5)
    assert not normalise_clip(x).any()


@pytest.mark.parametrize('span', [1e-38, 1e-30, 1e-12, 1e-6, 1e6, 1e30])
def test_any_span_of_features_gives_finite_gradients(span):
    x = (span * torch.rand(1, 6, 3, 8, 8)).requires_grad_()
    module = layer()
    module.reduce = nn.Identity()
    module.expand = nn.Conv3d(12, 6, 1)
    module(x).square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize('noise', [1e-3, 1e-4, 1e-5])
def test_black_bars_do_not_drown_the_picture(noise):
    clip = 255 * torch.rand(1, 1, 3, 32, 32)
    clip = torch.nn.functional.avg_pool3d(clip, (1, 5, 5), 1, (0, 2, 2))
    barred = clip.clone()
    barred[..., :8, :] = noise * torch.rand(8, 32)  # static, but for rounding noise
    largest = []
    for frames in (clip, barred):
        frames = frames.clone().requires_grad_()
        u_x, u_y = TVL1()(frames[:, :, 0], frames[:, :, 1])
        (u_x + u_y).square().sum().backward()
        largest.append(frames.grad.abs().max())
    assert largest[1] < 10 * largest[0]


@pytest.mark.parametrize('clip', ['black', 'white', 'static', 'noise then black'])
def test_gradients_stay_finite_through_the_layer_and_upstream(clip):
    frames = dict(
        black=torch.zeros(1, 3, 4, 12, 12),
        white=torch.ones(1, 3, 4, 12, 12),
        static=torch.rand(1, 3, 1, 12, 12).expand(1, 3, 4, 12, 12),
    ).get(
        clip, torch.rand(1, 3, 4, 12, 12) * torch.tensor((1.0, 1, 0, 0)).view(4, 1, 1)
    )
    upstream = nn.Sequential(nn.Conv3d(3, 6, 1), nn.ReLU())
    module = layer(n_iters=10)
    other = torch.rand(1, 3, 4, 12, 12)  # a live clip in the same batch
    out = module(upstream(torch.cat((frames, other))))
    assert out.isfinite().all()
    out.square().sum().backward()
    for parameter in (*upstream.parameters(), *module.parameters()):
        assert parameter.grad.isfinite().all()
    if clip != 'noise then black':
        u_x, u_y = module.flow(upstream(frames))
        assert not u_x.any() and not u_y.any()


def test_a_clip_does_not_see_its_neighbours():
    module = layer().eval()
    x = torch.rand(4, 6, 4, 8, 8)
    x[2] *= 100
    together = module(x)
    for n in range(4):
        torch.testing.assert_close(module(x[n : n + 1])[0], together[n])
    maps = module.reduce(x)  # from here on bit by bit: a convolution may differ
    together = module.solver(*normalise_clip(maps)[:, :, :2].unbind(2))
    for n in range(4):
        alone = module.solver(*normalise_clip(maps[n : n + 1])[:, :, :2].unbind(2))
        assert all(
            torch.equal(a[0], b[n]) for a, b in zip(alone, together, strict=True)
        )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_does_not_reach_the_solver(dtype):
    module = layer(n_iters=10)
    module.reduce = nn.Identity()  # a convolution is autocast's to round
    x = torch.rand(2, 6, 4, 9, 9)
    expected = module.flow(x)
    with torch.autocast('cpu', dtype):
        actual = module.flow(x)
        assert module.expand(torch.rand(1, 8, 1, 2, 2)).dtype == dtype
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_half_precision_module():
    module = layer().to(torch.bfloat16)
    out = module(torch.rand(1, 6, 3, 8, 8, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16 and out.isfinite().all()


def test_state_dict_deepcopy_and_pickle_round_trip():
    module = layer().eval()
    x = torch.rand(1, 6, 3, 8, 8)
    expected = module(x)
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    other = layer(learn=()).eval()  # what is learned does not change the keys
    other.load_state_dict(torch.load(buffer))
    torch.testing.assert_close(other(x), expected, rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(module)(x), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('match', 'shape'),
    [
        (r'\(N, C, T, H, W\), got shape \(2, 6, 8, 8\)', (2, 6, 8, 8)),
        ('built for 6 channels and got 5: set in_channels=5', (2, 5, 4, 8, 8)),
        ('a clip of 1: sample at least 2 frames', (2, 6, 1, 8, 8)),
    ],
)
def test_wrong_shapes(match, shape):
    with pytest.raises(ValueError, match=match):
        layer()(torch.rand(shape))


@pytest.mark.parametrize(
    ('error', 'match', 'options'),
    [
        (ValueError, "fusion must be one of .*'add'.*got 'sum'", dict(fusion='sum')),
        (ValueError, 'temporal must be one of', dict(temporal='full')),
        (ValueError, 'flow_channels must be at least 1', dict(flow_channels=0)),
        (TypeError, 'in_channels must be an int', dict(in_channels='64')),
        (TypeError, 'unexpected keyword argument', dict(iterations=3)),
    ],
)
def test_wrong_options(error, match, options):
    with pytest.raises(error, match=match):
        layer(**options)
