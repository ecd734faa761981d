"""The parts of the reference: adjointness, axes, signs, borders."""

import pytest
import torch

from repflow_mm.ops import (
    divergence,
    dual_step,
    forward_gradient,
    image_gradient,
    sobel_kernels,
    threshold_step,
)

WEIGHTS = torch.tensor((-1.0, 1.0), dtype=torch.float64)


@pytest.mark.parametrize('size', [(5, 7), (1, 6), (6, 1), (1, 1)])
def test_divergence_is_the_negative_adjoint_of_the_forward_gradient(size):
    u = torch.randn(2, 3, *size, dtype=torch.float64)
    p_x, p_y = torch.randn(2, *u.shape, dtype=torch.float64)
    p_x[..., -1], p_y[..., -1, :] = 0, 0  # where the iteration keeps them
    grad_x, grad_y = forward_gradient(u)
    left = (grad_x * p_x + grad_y * p_y).sum()
    right = -(u * divergence(p_x, p_y, WEIGHTS, WEIGHTS)).sum()
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


def test_divergence_by_hand():
    p_x = torch.tensor([[1.0, 2.0, 4.0]])[None]
    p_y = torch.tensor([[10.0], [30.0]])[None].expand(1, 2, 3)
    w = torch.tensor((-2.0, 3.0))
    none = torch.zeros(2)
    expected = torch.tensor([[3.0, 4.0, 8.0]])[None]
    torch.testing.assert_close(divergence(p_x, torch.zeros(1, 1, 3), w, none), expected)
    expected = torch.tensor([[30.0], [70.0]])[None].expand(1, 2, 3)
    torch.testing.assert_close(divergence(0 * p_y, p_y, none, w), expected)


def test_divergence_takes_weights_per_channel():
    p = torch.randn(2, 4, 5, 6)
    w_x, w_y = torch.randn(2, 4, 2)
    every = divergence(p, p, w_x, w_y)
    for c in range(4):
        one = divergence(p[:, c : c + 1], p[:, c : c + 1], w_x[c], w_y[c])
        torch.testing.assert_close(every[:, c : c + 1], one)


def test_image_gradient_of_a_ramp_is_its_slope():
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing='ij')
    grad_x, grad_y = image_gradient((3 * x - 2 * y)[None, None], sobel_kernels())
    torch.testing.assert_close(grad_x[..., 1:-1], torch.full((1, 1, 6, 5), 3.0))
    torch.testing.assert_close(grad_y[..., 1:-1, :], torch.full((1, 1, 4, 7), -2.0))


def test_image_gradient_invents_no_edges():
    grad_x, grad_y = image_gradient(torch.full((1, 2, 4, 5), 200.0), sobel_kernels())
    assert not grad_x.any() and not grad_y.any()


def test_threshold_step_is_the_three_branches_of_eq_3():
    bound = 0.1
    g = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64)
    u = torch.randn_like(g)
    rho_c = torch.randn(1, 3, 4, 5, dtype=torch.float64)
    g_squared = g.square().sum(0)
    rho = rho_c + (g * u).sum(0)
    small = torch.where(rho < -bound * g_squared, u + bound * g, u - bound * g)
    inside = rho.abs() <= bound * g_squared
    expected = torch.where(inside, u - rho / g_squared * g, small)
    assert inside.any() and not inside.all()
    actual = threshold_step(u, g, g_squared, rho_c, bound)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_dual_field_stays_in_the_unit_disc():
    p_x = p_y = torch.zeros(1, 1, 8, 8)
    for _ in range(50):
        grad = 100 * torch.randn(2, 1, 1, 8, 8)
        p_x, p_y = dual_step(p_x, p_y, grad[0], grad[1], 0.25 / 0.3)
        assert (p_x.hypot(p_y) <= 1 + 1e-6).all()
