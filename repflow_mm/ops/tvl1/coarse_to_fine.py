"""TV-L1 with a pyramid, warping, and filters of each iteration's own (TVNet).

The same iteration as in `reference`, with what that one leaves out: the second map is
warped by the flow found so far, a pyramid extends the range of motion, and the filters
of the divergence and of the flow's gradient may differ between iterations, as in Fan et
al., *End-to-End Learning of Motion Representation for Video Understanding* (CVPR 2018).
In plain PyTorch, for any device.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.errors import InputError
from repflow_mm.ops.parts import in_parts
from repflow_mm.ops.tvl1.reference import (
    FLAT,
    divergence,
    dual_step,
    image_gradient,
    threshold_step,
)

# Pixels times iterations computed at a time; the backward pass of one needs about 80
# bytes.
_LIMIT = 2**23
_SMALLEST = 4  # pixels of the shorter side of the coarsest map


def initial_filters(n_iters: int, warps: int = 1, scales: int = 1) -> Tensor:
    """Filters with which every iteration is that of TV-L1.

    Args:
        n_iters (int): Iterations per warp.
        warps (int): Warps per scale. Defaults to 1.
        scales (int): Levels of the pyramid. Defaults to 1.

    Returns:
        Tensor: `(scales, warps, n_iters, 2, 2, 2, 2)`: by scale (the finest first),
        warp and iteration, the weights of the divergence, then of the gradient; for
        `u_x`, then `u_y`; along x, then y; of the left (upper) pixel, then the right
        (lower): -1 and 1.
    """
    weights = torch.tensor((-1.0, 1.0))
    return weights.expand(scales, warps, n_iters, 2, 2, 2, 2).clone()


def coarse_to_fine(
    f1: Tensor,
    f2: Tensor,
    filters: Tensor,
    kernels: Tensor,
    tau: float = 0.25,
    lam: float = 0.15,
    theta: float = 0.3,
) -> tuple[Tensor, Tensor]:
    """Flow from `f1` to `f2`, one TV-L1 problem per map and channel.

    At each scale, the second map is warped `warps` times by the flow found so far, and
    the iterations go on from there. The pyramid halves the maps. With one scale, one
    warp and initial filters, this is :func:`repflow_mm.ops.representation_flow` with
    `backend='reference'`, bit for bit.

    The backward pass computes the iterations again, for some of the maps at a time.

    Args:
        f1 (Tensor): First maps, `(N, C, H, W)`, with values in [0, 255].
        f2 (Tensor): Second maps, same shape.
        filters (Tensor): `(scales, warps, n_iters, 2, 2, 2, 2)`, see
            :func:`initial_filters`.
        kernels (Tensor): Filters of the image gradient, `(2, 3, 3)`, see
            :func:`repflow_mm.ops.sobel_kernels`.
        tau (float): Time step of the dual update. Defaults to 0.25.
        lam (float): Weight of the data term. Defaults to 0.15.
        theta (float): Tightness of the coupling. Defaults to 0.3.

    Returns:
        tuple[Tensor, Tensor]: `(u_x, u_y)`, each `(N, C, H, W)` in the dtype of `f1`:
        flow in pixels, +x right and +y down. fp16 and bf16 maps are computed in fp32.

    Raises:
        InputError: If the maps are too small for so many scales.
    """
    scales, warps, n_iters = filters.shape[:3]
    height, width = f1.shape[-2:]
    coarsest = -(-min(height, width) // 2 ** (scales - 1))
    if scales > 1 and coarsest < _SMALLEST:
        raise InputError(
            f'scales={scales} halves maps of {height}x{width} to {coarsest} pixels, '
            f'and flow needs {_SMALLEST}: set fewer scales'
        )
    dtype = torch.promote_types(f1.dtype, torch.float32)
    # Tensors, so that their products are rounded as in the other solvers.
    step, weight, coupling = (
        f1.new_full((), value, dtype=dtype) for value in (tau, lam, theta)
    )
    solve = partial(
        _solve,
        filters=filters.to(f1.device, dtype),
        kernels=kernels.to(f1.device, dtype),
        scalars=(weight * coupling, step / coupling, coupling),
    )
    work = f1.shape[1] * height * width * warps * n_iters
    u_x, u_y = in_parts(solve, max(_LIMIT // work, 1), f1.to(dtype), f2.to(dtype))
    return u_x.to(f1.dtype), u_y.to(f1.dtype)


def warp(f: Tensor, u: Tensor) -> Tensor:
    """Read maps where the flow points to, bilinearly; the border is replicated.

    Args:
        f (Tensor): Maps `(N, C, H, W)`.
        u (Tensor): Flow of each, `(2, N, C, H, W)`, x then y, in pixels.

    Returns:
        Tensor: `f(p + u(p))`, `(N, C, H, W)`.
    """
    (y0, y1, down), (x0, x1, across) = (
        _between(position, size)
        for position, size in (
            (u[1] + torch.arange(f.shape[-2], device=u.device)[:, None], f.shape[-2]),
            (u[0] + torch.arange(f.shape[-1], device=u.device), f.shape[-1]),
        )
    )
    values = f.flatten(-2)

    def read(y: Tensor, x: Tensor) -> Tensor:
        return values.gather(-1, (y * f.shape[-1] + x).flatten(-2)).view_as(f)

    # Not grid_sample, whose coordinates are rounded: no motion must read `f` itself.
    upper = torch.lerp(read(y0, x0), read(y0, x1), across)
    lower = torch.lerp(read(y1, x0), read(y1, x1), across)
    return torch.lerp(upper, lower, down)


def _between(position: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels on either side of a position, and the distance from the first."""
    position = position.clamp(0, size - 1)
    before = position.detach().nan_to_num().floor().long()
    return before, (before + 1).clamp(max=size - 1), position - before


def _solve(
    f1: Tensor,
    f2: Tensor,
    filters: Tensor,
    kernels: Tensor,
    scalars: tuple[Tensor, Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    pyramid = [(f1, f2)]
    for _ in range(len(filters) - 1):
        f1, f2 = pyramid[-1]
        pyramid.append((_halve(f1), _halve(f2)))
    u: Tensor | None = None
    for pair, of_scale in zip(reversed(pyramid), reversed(filters), strict=True):
        if u is not None:
            u = _double(u)[..., : pair[0].shape[-2], : pair[0].shape[-1]]
        u = _solve_scale(*pair, u, of_scale, kernels, scalars)
    assert u is not None  # there is a scale
    return u[0], u[1]


def _solve_scale(
    f1: Tensor,
    f2: Tensor,
    start: Tensor | None,
    filters: Tensor,
    kernels: Tensor,
    scalars: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """Warps and iterations at one scale, from a flow on (None: from zero)."""
    bound, rate, theta = scalars
    gradient = torch.stack(image_gradient(f2, kernels))
    u = torch.zeros_like(gradient) if start is None else start
    p_x, p_y = torch.zeros_like(gradient), torch.zeros_like(gradient)
    for number, of_warp in enumerate(filters):
        if number == 0 and start is None:
            g, rho_c = gradient, f2 - f1
        else:
            g = torch.stack([warp(each, u) for each in gradient])
            rho_c = warp(f2, u) - (g * u).sum(0) - f1
        g_squared = g.square().sum(0).clamp_min(FLAT)
        for weights in of_warp[..., None, None, :]:  # broadcast over N and C
            for_divergence, for_gradient = weights
            u = threshold_step(u, g, g_squared, rho_c, bound)
            u = u + theta * divergence(p_x, p_y, *for_divergence.unbind(1))
            p_x, p_y = dual_step(p_x, p_y, *_gradient(u, *for_gradient.unbind(1)), rate)
    return u


def _gradient(u: Tensor, w_x: Tensor, w_y: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted forward differences, zero at the last column and row."""
    left, right = w_x[..., None, None].unbind(-3)
    upper, lower = w_y[..., None, None].unbind(-3)
    return (
        F.pad(left * u[..., :-1] + right * u[..., 1:], (0, 1)),
        F.pad(upper * u[..., :-1, :] + lower * u[..., 1:, :], (0, 0, 0, 1)),
    )


def _halve(f: Tensor) -> Tensor:
    return F.avg_pool2d(f, 2, ceil_mode=True, count_include_pad=False)


def _double(u: Tensor) -> Tensor:
    """A flow at twice the resolution, in pixels of that one."""
    u_x, u_y = (
        F.interpolate(each, scale_factor=2.0, mode='bilinear') for each in 2 * u
    )
    return torch.stack((u_x, u_y))
