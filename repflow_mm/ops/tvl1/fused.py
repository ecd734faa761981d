"""The fused solver as one PyTorch operator, whatever device it runs on.

A registered operator with a shape function: `torch.compile` of the network around it
keeps one graph. Its backward keeps the two maps and the parameters, and nothing of the
iterations.
"""

import torch
from torch import Tensor

from repflow_mm.ops.tvl1 import cpu, triton

# Modules with `UNAVAILABLE`, `missing`, `unfit`, `forward`, `backward`; whom to ask.
BACKENDS = {'cpu': cpu, 'triton': triton}
DEVICES = {'cpu': 'cpu', 'cuda': 'triton'}


def representation_flow(
    f1: Tensor,
    f2: Tensor,
    *,
    n_iters: int,
    tau: float | Tensor,
    lam: float | Tensor,
    theta: float | Tensor,
    div_x: Tensor,
    div_y: Tensor,
    image_kernels: Tensor,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """The reference's signature, but for `flow_kernels`, on a fused kernel."""
    scalars = [
        torch.as_tensor(value, dtype=f1.dtype, device=f1.device)
        for value in (tau, lam, theta)
    ]
    if div_x.dim() != div_y.dim():
        div_x, div_y = torch.broadcast_tensors(div_x, div_y)
    filters = image_kernels.to(f1)
    return tvl1(f1, f2, *scalars, div_x, div_y, filters, n_iters, backend)


@torch.library.custom_op('repflow_mm::tvl1', mutates_args=())
def tvl1(
    f1: Tensor,
    f2: Tensor,
    tau: Tensor,
    lam: Tensor,
    theta: Tensor,
    div_x: Tensor,
    div_y: Tensor,
    kernels: Tensor,
    n_iters: int,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Flow from `f1` to `f2`, forward differences for the gradient of the flow.

    Args:
        f1 (Tensor): First maps, `(N, C, H, W)`, fp32 or fp64.
        f2 (Tensor): Second maps.
        tau (Tensor): 0-dim, as all scalars; everything has the maps' dtype and device.
        lam (Tensor): Weight of the data term.
        theta (Tensor): Tightness of the coupling.
        div_x (Tensor): Divergence weights, `(2,)` or `(C, 2)`.
        div_y (Tensor): Likewise, and of the same shape.
        kernels (Tensor): Filters of the image gradient, `(2, 3, 3)`; no gradient.
        n_iters (int): Iterations.
        backend (str): One of :data:`BACKENDS`.

    Returns:
        tuple[Tensor, Tensor]: `(u_x, u_y)`, each `(N, C, H, W)`, contiguous.
    """
    inputs = (f1, f2, tau, lam, theta, div_x, div_y, kernels)
    inputs = [tensor.contiguous() for tensor in inputs]
    return BACKENDS[backend].forward(*inputs, n_iters)


@tvl1.register_fake
def _(f1, f2, tau, lam, theta, div_x, div_y, kernels, n_iters, backend):
    return f1.new_empty(f1.shape), f1.new_empty(f1.shape)


@torch.library.custom_op('repflow_mm::tvl1_backward', mutates_args=())
def tvl1_backward(
    g_x: Tensor,
    g_y: Tensor,
    f1: Tensor,
    f2: Tensor,
    tau: Tensor,
    lam: Tensor,
    theta: Tensor,
    div_x: Tensor,
    div_y: Tensor,
    kernels: Tensor,
    n_iters: int,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of `f1`, `f2`, `tau`, `lam`, `theta`, `div_x` and `div_y`."""
    inputs = (g_x, g_y, f1, f2, tau, lam, theta, div_x, div_y, kernels)
    inputs = [tensor.contiguous() for tensor in inputs]
    d_f1, d_f2, sums = BACKENDS[backend].backward(*inputs, n_iters)
    by_channel = sums.sum(0)  # (C, 6)
    tau, lam, theta = tau.to(sums), lam.to(sums), theta.to(sums)
    d_bound, d_rate = by_channel[:, :2].sum(0)
    d_weights = by_channel[:, 2:]
    weights = torch.cat((div_x, div_y), dim=-1).to(sums)
    d_theta = lam * d_bound - tau / theta**2 * d_rate + (weights * d_weights).sum()
    if div_x.dim() == 1:
        d_weights = d_weights.sum(0)
    d_div_x, d_div_y = (theta * d_weights).to(f1.dtype).chunk(2, dim=-1)
    d_scalars = [d.to(f1.dtype) for d in (d_rate / theta, theta * d_bound, d_theta)]
    return d_f1, d_f2, *d_scalars, d_div_x.clone(), d_div_y.clone()


@tvl1_backward.register_fake
def _(g_x, g_y, f1, f2, tau, lam, theta, div_x, div_y, kernels, n_iters, backend):
    parts = (f1, f2, tau, lam, theta, div_x, div_y)
    return tuple(part.new_empty(part.shape) for part in parts)


def _keep(ctx, inputs: tuple, output: tuple) -> None:
    *tensors, ctx.n_iters, ctx.backend = inputs
    ctx.save_for_backward(*tensors)


def _gradients(ctx, g_x: Tensor, g_y: Tensor) -> tuple:
    options = ctx.n_iters, ctx.backend
    gradients = tvl1_backward(g_x, g_y, *ctx.saved_tensors, *options)
    return *gradients, None, None, None  # none for the filters and the options


def _twice(ctx, *gradients: Tensor) -> None:
    raise ValueError(
        'the fused solver has no gradient of its gradient: use backend="reference" '
        'for create_graph=True'
    )


tvl1.register_autograd(_gradients, setup_context=_keep)
tvl1_backward.register_autograd(_twice)
