"""The public op: checks its arguments and picks a backend."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from repflow_mm.checks import check_choice, check_count
from repflow_mm.errors import InputError
from repflow_mm.ops.exporting import is_exporting
from repflow_mm.ops.maps import check_maps
from repflow_mm.ops.transforms import is_transformed
from repflow_mm.ops.tvl1 import custom_op, reference
from repflow_mm.ops.tvl1.backend import Problem

# By name, the scale of the integer Sobel kernels.
IMAGE_GRADS = {'sobel': 1 / 8, 'sobel_unscaled': 1.0}
FLOW_GRADS = ('forward', 'sobel')


def representation_flow(
    f1: Tensor,
    f2: Tensor,
    *,
    n_iters: int = 20,
    tau: float | Tensor = 0.25,
    lam: float | Tensor = 0.15,
    theta: float | Tensor = 0.3,
    div_x: Tensor | None = None,
    div_y: Tensor | None = None,
    image_grad: str | Tensor = 'sobel',
    flow_grad: str = 'forward',
    backend: str = 'auto',
) -> tuple[Tensor, Tensor]:
    """Flow from `f1` to `f2`, one TV-L1 problem per map and channel.

    Algorithm 1 of Piergiovanni & Ryoo (CVPR 2019), with the corrections listed in
    `docs/fidelity.md`. Differentiable in the maps and in every tensor argument by
    autograd. The kernels have a first derivative in reverse mode: within `torch.func`
    and forward-mode AD, `'auto'` is the reference.

    Args:
        f1 (Tensor): First maps, `(N, C, H, W)`. The default scalars have their usual
            TV-L1 meaning if values span [0, 255].
        f2 (Tensor): Second maps, same shape, dtype and device.
        n_iters (int): Iterations to unroll, at least 1. Defaults to 20.
        tau (float | Tensor): Time step of the dual update (Eq. 5), > 0.
        lam (float | Tensor): Weight of the data term (Eq. 3), > 0.
        theta (float | Tensor): Tightness of the coupling (Eq. 4), > 0. Scalars
            are floats or 0-dim tensors.
        div_x (Tensor, optional): Divergence weights in x (Eq. 9), `(2,)` or
            `(C, 2)`. Defaults to `[-1, 1]`.
        div_y (Tensor, optional): Divergence weights in y, likewise.
        image_grad (str | Tensor): `'sobel'` (Eq. 8 over 8, so that flow is in
            pixels), `'sobel_unscaled'` (Eq. 8 as printed), or kernels
            `(2, 3, 3)` for x and y in cross-correlation convention.
        flow_grad (str): `'forward'` differences, or `'sobel'`, Eq. 10 as
            printed (worse than zero flow on known motion, `docs/fidelity.md`).
        backend (str): `'auto'`, `'reference'`, `'cpu'` or `'triton'`. `'auto'`
            is the fastest that supports device, dtype, shape and options. Programs
            recorded by `torch.export`, `torch.onnx` or `torch.jit.trace` always use
            the reference: they may run where this package is not installed.

    Returns:
        tuple[Tensor, Tensor]: `(u_x, u_y)`, each `(N, C, H, W)` in the dtype of
        `f1`: flow in pixels, +x to the right, +y down. fp16 and bf16 maps are
        computed in fp32, since squares of 255-range gradients overflow fp16.

    Raises:
        TypeError: If a map is not a floating-point tensor.
        ValueError: If shapes, dtypes or devices disagree.
        InputTypeError: If `n_iters` is not an integer.
        InputError: If a number is out of range, an option is unknown, or a backend
            chosen by name cannot run here.
    """
    check_maps(f1, f2)
    check_count('n_iters', n_iters)
    check_choice('flow_grad', flow_grad, FLOW_GRADS)
    check_choice('backend', backend, ('auto', 'reference', *custom_op.KERNELS))
    dtype = torch.promote_types(f1.dtype, torch.float32)
    kernels = _image_kernels(image_grad)
    solve = _solver(backend, f1, kernels, flow_grad)
    full = f1.to(dtype)
    weights_x = _div_weights('div_x', div_x, full)
    weights_y = _div_weights('div_y', div_y, full)
    if weights_x.dim() != weights_y.dim():
        weights_x, weights_y = torch.broadcast_tensors(weights_x, weights_y)
    problem = Problem(
        full,
        f2.to(dtype),
        tau=_scalar('tau', tau, full),
        lam=_scalar('lam', lam, full),
        theta=_scalar('theta', theta, full),
        div_x=weights_x,
        div_y=weights_y,
        kernels=kernels.to(full),
        n_iters=n_iters,
    )
    u_x, u_y = solve(problem)
    return u_x.to(f1.dtype), u_y.to(f1.dtype)


def backends() -> dict[str, str]:
    """Which backends this machine can run.

    Returns:
        dict[str, str]: By name, why it cannot run; empty if it can.
    """
    reasons = {name: kernel.reason() for name, kernel in custom_op.KERNELS.items()}
    return {'reference': ''} | reasons


def _solver(
    backend: str, f: Tensor, kernels: Tensor, flow_grad: str
) -> Callable[[Problem], tuple[Tensor, Tensor]]:
    """The fastest solver that supports this call."""
    flow_kernels = reference.sobel_kernels(1.0) if flow_grad == 'sobel' else None
    plain = partial(reference.representation_flow, flow_kernels=flow_kernels)
    if backend == 'reference' or is_exporting():
        return plain
    unfused = ''
    if flow_grad != 'forward':
        unfused = "flow_grad='sobel' is not fused"
    elif kernels.requires_grad:
        unfused = 'learned filters of the image gradient are not fused'
    elif is_transformed():
        unfused = 'torch.func and forward-mode derivatives are not fused'
    for name, kernel in custom_op.KERNELS.items():
        if backend == name or (backend == 'auto' and kernel.DEVICE == f.device.type):
            reason = unfused or kernel.reason(f)
            if not reason:
                return lambda problem: custom_op.tvl1(*problem, name)
    if backend == 'auto':
        return plain
    raise InputError(
        f'backend {backend!r} cannot run: {reason}; backend="auto" picks the fastest '
        'that can'
    )


def _scalar(name: str, value: float | Tensor, f: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        if value.dim() != 0:
            raise ValueError(
                f'{name} must be a float or a 0-dim tensor, got shape '
                f'{tuple(value.shape)}'
            )
        return value.to(f)  # comparing it with 0 would synchronise with the GPU
    if not value > 0:
        raise InputError(f'{name} must be > 0, got {value}')
    return f.new_full((), value)


def _div_weights(name: str, weights: Tensor | None, f: Tensor) -> Tensor:
    if weights is None:
        return f.new_tensor((-1.0, 1.0))
    channels = f.shape[1]
    if tuple(weights.shape) not in ((2,), (channels, 2)):
        raise ValueError(
            f'{name} must have shape (2,) or (C, 2) = ({channels}, 2), got '
            f'{tuple(weights.shape)}'
        )
    return weights.to(f)


def _image_kernels(image_grad: str | Tensor) -> Tensor:
    if isinstance(image_grad, Tensor):
        if tuple(image_grad.shape) != (2, 3, 3):
            raise ValueError(
                'image_grad kernels must have shape (2, 3, 3), got '
                f'{tuple(image_grad.shape)}'
            )
        return image_grad
    if image_grad not in IMAGE_GRADS:
        raise InputError(
            f'image_grad must be one of {tuple(IMAGE_GRADS)} or (2, 3, 3) '
            f'kernels, got {image_grad!r}'
        )
    return reference.sobel_kernels(IMAGE_GRADS[image_grad])
