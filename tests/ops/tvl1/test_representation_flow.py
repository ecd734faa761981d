"""The op: known motion, gradients, degenerate input, errors."""

from functools import partial

import pytest
import torch
from torch.autograd import forward_ad

from repflow_mm.commands.known_motion import MOTIONS, dual_tvl1
from repflow_mm.errors import InputError
from repflow_mm.ops import backends, representation_flow
from repflow_mm.synthetic.known_motion import end_point_error, moved_textures
from tests.ops.tvl1.kernels import REFERENCE, able

KERNELS = able(torch.float64, devices=['cpu'])


@pytest.fixture(params=[pytest.param(REFERENCE, id='reference'), *KERNELS])
def solve(request):
    """The op on a backend that supports fp64 maps on the CPU."""
    return partial(representation_flow, backend=request.param.name)


@pytest.mark.parametrize(('n_iters', 'limit'), [(20, 0.25), (100, 0.06)])
@pytest.mark.parametrize(('dx', 'dy'), MOTIONS)
def test_known_motion(solve, dx, dy, n_iters, limit):
    pair = moved_textures(dx, dy)
    error = end_point_error(*solve(*pair, n_iters=n_iters), dx, dy)
    theirs = end_point_error(*dual_tvl1(*pair), dx, dy)
    print(f'({dx}, {dy}), {n_iters} iterations: {error:.3f} px, OpenCV {theirs:.3f}')
    assert error <= limit


@pytest.mark.parametrize(('dx', 'dy'), [(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
def test_axis_and_sign(solve, dx, dy):
    u_x, u_y = solve(*moved_textures(dx, dy), n_iters=50)
    assert u_x.mean().item() == pytest.approx(dx, abs=0.05)
    assert u_y.mean().item() == pytest.approx(dy, abs=0.05)


def test_no_motion_is_no_flow(solve):
    f, _ = moved_textures(0, 0)
    u_x, u_y = solve(f, f)
    assert not u_x.any() and not u_y.any()


@pytest.mark.parametrize('value', [0.0, 255.0, 1e6, 1e-42])
def test_constant_maps_give_no_flow_and_finite_gradients(solve, value):
    f1 = torch.full((1, 2, 6, 5), value, requires_grad=True)
    f2 = torch.full((1, 2, 6, 5), value, requires_grad=True)
    u_x, u_y = solve(f1, f2)
    assert not u_x.any() and not u_y.any()
    (u_x + u_y).sum().backward()
    assert f1.grad.isfinite().all() and f2.grad.isfinite().all()


def test_a_step_edge_beside_a_flat_spot_has_finite_gradients(solve):
    f1 = torch.zeros(1, 1, 8, 8)
    f1[..., 4:] = 255
    f2 = f1.roll(1, -1)
    f1.requires_grad_(), f2.requires_grad_()
    u_x, u_y = solve(f1, f2)
    (u_x + u_y).square().sum().backward()
    assert f1.grad.isfinite().all() and f2.grad.isfinite().all()


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1), (7, 7), (2, 3)])
@pytest.mark.parametrize('flow_grad', ['forward', 'sobel'])
def test_any_map_size(size, flow_grad):
    f1, f2 = (255 * torch.rand(2, 3, *size)).requires_grad_(), torch.rand(2, 3, *size)
    u_x, u_y = representation_flow(f1, f2, flow_grad=flow_grad)
    assert u_x.shape == u_y.shape == f1.shape
    (u_x + u_y).sum().backward()
    assert f1.grad.isfinite().all()


def test_empty_batch(solve):
    u_x, _ = solve(torch.rand(0, 3, 4, 4), torch.rand(0, 3, 4, 4))
    assert u_x.shape == (0, 3, 4, 4)


@pytest.mark.parametrize('per_channel', [False, True])
def test_gradcheck(solve, per_channel):
    f1, f2 = 255 * torch.rand(2, 1, 2, 5, 4, dtype=torch.float64)
    shape = (2, 2) if per_channel else (2,)
    inputs = [
        f1,
        f2,
        *(torch.tensor(value, dtype=torch.float64) for value in (0.25, 0.15, 0.3)),
        *(
            torch.tensor((-1.0, 1.0), dtype=torch.float64).expand(shape)
            + 0.1 * torch.rand(shape, dtype=torch.float64)
            for _ in range(2)
        ),
    ]
    inputs = [value.clone().requires_grad_() for value in inputs]

    def flow(f1, f2, tau, lam, theta, div_x, div_y):
        return solve(
            f1, f2, n_iters=4, tau=tau, lam=lam, theta=theta, div_x=div_x, div_y=div_y
        )

    assert torch.autograd.gradcheck(flow, inputs, eps=1e-5, atol=1e-5)


def test_forward_mode_and_torch_func():
    f1, f2, along, weights = torch.rand(4, 1, 2, 6, 7, dtype=torch.float64)
    f1, f2 = 255 * f1, 255 * f2

    def flow(f):
        return representation_flow(f, f2, n_iters=5)[0]

    leaf = f1.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(flow(leaf), leaf, weights)
    expected = (gradient * along).sum()
    _, tangent = torch.func.jvp(flow, (f1,), (along,))
    torch.testing.assert_close((tangent * weights).sum(), expected)
    with forward_ad.dual_level():
        out = forward_ad.unpack_dual(flow(forward_ad.make_dual(f1, along)))
        torch.testing.assert_close(out.tangent, tangent)
    found = torch.func.grad(lambda f: (flow(f) * weights).sum())(f1)
    torch.testing.assert_close(found, gradient)
    jacobian = torch.func.jacrev(flow)(f1).flatten(4).flatten(0, 3)
    torch.testing.assert_close(weights.flatten() @ jacobian, gradient.flatten())
    if not backends()['cpu']:
        with pytest.raises(InputError, match='forward-mode derivatives are not fused'):
            torch.func.jvp(
                lambda f: representation_flow(f, f2, backend='cpu')[0], (f1,), (along,)
            )


def test_a_clip_does_not_see_its_neighbours(solve):
    f1, f2 = 255 * torch.rand(2, 4, 3, 9, 8)
    together = solve(f1, f2)
    for n in range(4):
        alone = solve(f1[n : n + 1], f2[n : n + 1])
        for a, b in zip(alone, together, strict=True):
            assert torch.equal(a[0], b[n])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_fp32(solve, dtype):
    f1, f2 = (f.float().to(dtype) for f in moved_textures(0.5, 0))
    u_x, u_y = solve(f1, f2)
    assert u_x.dtype == dtype
    exact = solve(f1.float(), f2.float())
    torch.testing.assert_close((u_x, u_y), tuple(u.to(dtype) for u in exact))


def test_non_contiguous_maps(solve):
    f1, f2 = 255 * torch.rand(2, 5, 6, 3, 2)
    actual = solve(f1.permute(3, 2, 0, 1), f2.permute(3, 2, 0, 1))
    expected = solve(
        f1.permute(3, 2, 0, 1).contiguous(), f2.permute(3, 2, 0, 1).contiguous()
    )
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_changes_nothing(solve, dtype):
    f1, f2 = (f.float() for f in moved_textures(0.5, 0, count=2, size=32))
    expected = solve(f1, f2)
    with torch.autocast('cpu', dtype):
        actual = solve(f1, f2)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


MAP = torch.rand(1, 2, 4, 4)


@pytest.mark.parametrize(
    ('error', 'match', 'args', 'options'),
    [
        (TypeError, 'f1 must be a floating-point', (MAP.byte(), MAP), {}),
        (ValueError, r'f1 must have shape \(N, C, H, W\)', (MAP[0], MAP), {}),
        (ValueError, 'agree in shape', (MAP, MAP[..., 1:]), {}),
        (ValueError, 'agree in shape, dtype', (MAP, MAP.double()), {}),
        (ValueError, 'at least one pixel', (MAP[..., :0], MAP[..., :0]), {}),
        (ValueError, 'n_iters must be at least 1', (MAP, MAP), dict(n_iters=0)),
        (TypeError, 'n_iters must be an int', (MAP, MAP), dict(n_iters=2.5)),
        (ValueError, 'tau must be > 0', (MAP, MAP), dict(tau=0)),
        (ValueError, 'lam must be > 0', (MAP, MAP), dict(lam=float('nan'))),
        (ValueError, '0-dim', (MAP, MAP), dict(theta=torch.ones(1))),
        (ValueError, r'\(2,\) or \(C, 2\)', (MAP, MAP), dict(div_x=torch.ones(3))),
        (ValueError, 'image_grad must be one of', (MAP, MAP), dict(image_grad='x')),
        (ValueError, r'\(2, 3, 3\)', (MAP, MAP), dict(image_grad=torch.ones(3, 3))),
        (ValueError, 'flow_grad must be one of', (MAP, MAP), dict(flow_grad='x')),
        (ValueError, 'backend must be one of', (MAP, MAP), dict(backend='x')),
        (ValueError, 'cannot run', (MAP.double(),) * 2, dict(backend='triton')),
    ],
)
def test_wrong_input(error, match, args, options):
    with pytest.raises(error, match=match):
        representation_flow(*args, **options)
