"""The fused solver as one PyTorch operator, whichever kernel runs it.

A registered operator with a shape function, so that `torch.compile` of a network around
it has no graph break. For the backward pass it saves the two maps and the parameters,
but no iterates.
"""

import torch
from torch import Tensor

from repflow_mm.ops.tvl1 import cpu, triton
from repflow_mm.ops.tvl1.backend import Backend, Problem

# All kernels; of two for the same device, the preferred one comes first.
KERNELS: dict[str, Backend] = {'cpu': cpu, 'triton': triton}

_ARGUMENTS = ', '.join(
    f'{"SymInt" if kind is int else "Tensor"} {name}'
    for name, kind in Problem.__annotations__.items()
)


@torch.library.custom_op(
    'repflow_mm::tvl1',
    mutates_args=(),
    schema=f'({_ARGUMENTS}, str backend) -> (Tensor, Tensor)',
)
def tvl1(*args):
    """The operator; takes the fields of a :class:`Problem` and a kernel's name.

    The gradient of the flow is forward differences.
    """
    *tensors, n_iters, backend = args
    tensors = [tensor.contiguous() for tensor in tensors]
    problem = Problem._make((*tensors, n_iters))
    return KERNELS[backend].forward(problem)


@tvl1.register_fake
def _(*args):
    f1 = args[0]
    return f1.new_empty(f1.shape), f1.new_empty(f1.shape)


@torch.library.custom_op(
    'repflow_mm::tvl1_backward',
    mutates_args=(),
    schema=f'(Tensor g_x, Tensor g_y, {_ARGUMENTS}, str backend) -> '
    '(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)',
)
def tvl1_backward(*args):
    """Gradients of the differentiable fields: all tensors except the filters."""
    *tensors, n_iters, backend = args
    g_x, g_y, *tensors = [tensor.contiguous() for tensor in tensors]
    problem = Problem._make((*tensors, n_iters))
    d_f1, d_f2, sums = KERNELS[backend].backward((g_x, g_y), problem)
    by_channel = sums.sum(0)  # (C, 6)
    tau, lam, theta = [tensor.to(sums) for tensor in tensors[2:5]]
    d_bound, d_rate = by_channel[:, :2].sum(0)
    d_weights = by_channel[:, 2:]
    weights = torch.cat((problem.div_x, problem.div_y), dim=-1).to(sums)
    d_theta = lam * d_bound - tau / theta**2 * d_rate + (weights * d_weights).sum()
    if problem.div_x.dim() == 1:
        d_weights = d_weights.sum(0)
    dtype = problem.f1.dtype
    d_div_x, d_div_y = (theta * d_weights).to(dtype).chunk(2, dim=-1)
    d_scalars = [d.to(dtype) for d in (d_rate / theta, theta * d_bound, d_theta)]
    return d_f1, d_f2, *d_scalars, d_div_x.clone(), d_div_y.clone()


@tvl1_backward.register_fake
def _(*args):
    differentiable = args[2:9]
    return tuple(tensor.new_empty(tensor.shape) for tensor in differentiable)


def _keep(ctx, inputs: tuple, output: tuple) -> None:
    *tensors, ctx.n_iters, ctx.backend = inputs
    ctx.save_for_backward(*tensors)


def _gradients(ctx, g_x: Tensor, g_y: Tensor) -> tuple:
    options = ctx.n_iters, ctx.backend
    gradients = tvl1_backward(g_x, g_y, *ctx.saved_tensors, *options)
    return *gradients, None, None, None  # none for the filters and the options


def _twice(ctx, *gradients: Tensor) -> None:
    raise ValueError(
        'the fused solver has no second derivative: use backend="reference" for '
        'create_graph=True'
    )


tvl1.register_autograd(_gradients, setup_context=_keep)
tvl1_backward.register_autograd(_twice)
