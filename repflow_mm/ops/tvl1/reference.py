"""TV-L1 on feature maps in plain PyTorch: the reference implementation.

Outputs and gradients of every fused kernel are tested against this file. Equation
numbers are those of Piergiovanni & Ryoo, *Representation Flow for Action Recognition*
(CVPR 2019); `docs/fidelity.md` lists where and why we depart from the printed text.

All maps are `(N, C, H, W)` (the building blocks take any leading shape), x points
right and y down, and flow is in pixels of the feature map. Inputs are never modified,
and maps are independent of each other.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.ops.tvl1.backend import Problem

Scalar = float | Tensor

# Below this |grad F2|^2 a pixel counts as flat: 0.1 grey levels per pixel, on maps in
# [0, 255]. The slope of the data term grows as 1 / |grad F2|: with a much smaller
# guard, rounding noise in a black bar would swamp every other gradient.
FLAT = 1e-2

_SOBEL_X = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def sobel_kernels(scale: float = 1 / 8) -> Tensor:
    """Sobel filters as cross-correlation kernels (Eq. 8, flipped).

    The paper prints the kernels for a true convolution, which flips them: here the
    gradient is right minus left and bottom minus top.

    Args:
        scale (float): Factor on the integer kernel. `1 / 8` makes the filter a
            derivative per pixel; the paper prints it unscaled.

    Returns:
        Tensor: `(2, 3, 3)`, the x and the y kernel.
    """
    kernel_x = torch.tensor(_SOBEL_X) * scale
    return torch.stack((kernel_x, kernel_x.T))


def image_gradient(f: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of a feature map by two 3x3 filters (Eq. 8).

    The border is replicated: zero padding would create edges.

    Args:
        f (Tensor): Maps `(N, C, H, W)`.
        kernels (Tensor): `(2, 3, 3)`, x and y, cross-correlation convention.

    Returns:
        tuple[Tensor, Tensor]: x and y derivative, each `(N, C, H, W)`.
    """
    # Not F.conv2d, where autocast and TF32 would round maps in [0, 255].
    height, width = f.shape[-2:]
    padded = F.pad(f, (1, 1, 1, 1), mode='replicate')
    weights = kernels.to(f)[..., None, None, None, None]
    taps = (
        weights[:, i, j] * padded[..., i : i + height, j : j + width]
        for i in range(3)
        for j in range(3)
    )
    gradient = cast(Tensor, sum(taps))
    return gradient[0], gradient[1]


def forward_gradient(u: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences, zero at the last column and row.

    The negative adjoint of :func:`divergence` with its initial weights, as in
    Zach et al. (2007). The paper prints a Sobel filter here (Eq. 10), which makes
    the flow worse than zero flow (`docs/fidelity.md`).

    Args:
        u (Tensor): `(..., H, W)`.

    Returns:
        tuple[Tensor, Tensor]: x and y difference, each `(..., H, W)`.
    """
    return (
        torch.diff(u, dim=-1, append=u[..., -1:]),
        torch.diff(u, dim=-2, append=u[..., -1:, :]),
    )


def divergence(p_x: Tensor, p_y: Tensor, w_x: Tensor, w_y: Tensor) -> Tensor:
    """Weighted backward differences, zero outside the map (Eqs. 6 and 9).

    With weights `[-1, 1]` this is `p_x[i] - p_x[i-1] + p_y[j] - p_y[j-1]`, the
    negative adjoint of :func:`forward_gradient` on dual fields whose last
    column (x) and row (y) are zero, as the iteration keeps them.

    Args:
        p_x (Tensor): Dual field in x, `(..., C, H, W)`.
        p_y (Tensor): Dual field in y, `(..., C, H, W)`.
        w_x (Tensor): Weights of `(p_x[i-1], p_x[i])`, `(2,)` or `(C, 2)`.
        w_y (Tensor): Weights of `(p_y[j-1], p_y[j])`, `(2,)` or `(C, 2)`.

    Returns:
        Tensor: `(..., C, H, W)`.
    """
    x_before, x_here = w_x[..., None, None].unbind(-3)
    y_before, y_here = w_y[..., None, None].unbind(-3)
    return (
        x_here * p_x
        + x_before * F.pad(p_x, (1, -1))
        + y_here * p_y
        + y_before * F.pad(p_y, (0, 0, 1, -1))
    )


def threshold_step(
    u: Tensor, g: Tensor, g_squared: Tensor, rho_c: Tensor, bound: Scalar
) -> Tensor:
    """Pointwise minimiser of the data term (Eqs. 2 and 3).

    The three cases of Eq. 3 are a single clamp, continuous in its arguments.

    Args:
        u (Tensor): Flow `(2, N, C, H, W)`, x then y.
        g (Tensor): Gradient of the second map, same shape.
        g_squared (Tensor): `|g|^2`, at least :data:`FLAT`, `(N, C, H, W)`.
        rho_c (Tensor): `F2 - F1`, `(N, C, H, W)`.
        bound (float | Tensor): `lam * theta`.

    Returns:
        Tensor: `v`, shaped like `u`.
    """
    rho = rho_c + (g * u).sum(0)
    # PyTorch's stubs accept two floats or two tensors, but no union.
    step = (-rho / g_squared).clamp(-bound, bound)  # type: ignore[arg-type]
    return u + step * g


def dual_step(
    p_x: Tensor, p_y: Tensor, grad_x: Tensor, grad_y: Tensor, rate: Scalar
) -> tuple[Tensor, Tensor]:
    """Projected ascent on the dual field (Eq. 5), which keeps `|p| <= 1`.

    Args:
        p_x (Tensor): Dual field in x.
        p_y (Tensor): Dual field in y.
        grad_x (Tensor): x derivative of the flow, same shape.
        grad_y (Tensor): y derivative of the flow, same shape.
        rate (float | Tensor): `tau / theta`.

    Returns:
        tuple[Tensor, Tensor]: The new `p_x` and `p_y`.
    """
    # Keeps the derivative of the square root finite at zero; lost to rounding
    # elsewhere.
    tiny = torch.finfo(grad_x.dtype).tiny
    scale = 1 + rate * (grad_x.square() + grad_y.square() + tiny).sqrt()
    return (p_x + rate * grad_x) / scale, (p_y + rate * grad_y) / scale


def representation_flow(
    problem: Problem, flow_kernels: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Unroll Algorithm 1.

    Called through :func:`repflow_mm.ops.representation_flow`, which documents
    and checks the arguments.

    Args:
        problem (Problem): The arguments.
        flow_kernels (Tensor, optional): `(2, 3, 3)`, filters for the gradient of the
            flow, Eq. 10 as printed. Defaults to forward differences.

    Returns:
        tuple[Tensor, Tensor]: `(u_x, u_y)`, each `(N, C, H, W)`.
    """
    f1, f2, tau, lam, theta, div_x, div_y, kernels, n_iters = problem
    g = torch.stack(image_gradient(f2, kernels))
    g_squared = g.square().sum(0).clamp_min(FLAT)
    rho_c = f2 - f1
    bound, rate = lam * theta, tau / theta

    def flow_gradient(u: Tensor) -> tuple[Tensor, Tensor]:
        if flow_kernels is None:
            return forward_gradient(u)
        grad_x, grad_y = image_gradient(u.flatten(0, 1), flow_kernels)
        return grad_x.view_as(u), grad_y.view_as(u)

    u = torch.zeros_like(g)  # both flow components at once: (2, N, C, H, W)
    p_x, p_y = torch.zeros_like(g), torch.zeros_like(g)
    for iteration in range(n_iters):
        u = threshold_step(u, g, g_squared, rho_c, bound)
        if iteration > 0:  # the dual fields start at zero
            u = u + theta * divergence(p_x, p_y, div_x, div_y)
        if iteration + 1 < n_iters:  # the last dual step would not be used
            p_x, p_y = dual_step(p_x, p_y, *flow_gradient(u), rate)
    return u[0], u[1]
