"""The kernels available here, by what they support, and test problems for them."""

from typing import NamedTuple

import pytest
import torch

from repflow_mm.ops import representation_flow
from repflow_mm.ops.tvl1.custom_op import KERNELS

NAMES = 'u_x u_y f1 f2 tau lam theta div_x div_y'.split()


class Kernel(NamedTuple):
    name: str
    device: str  # where it takes maps

    @property
    def interpreted(self) -> bool:
        """Whether a kernel is too slow for problems of realistic size."""
        return self.device != KERNELS[self.name].DEVICE


DEVICES = ['cuda', 'cpu'] if torch.cuda.is_available() else ['cpu']
REFERENCE = Kernel('reference', 'cpu')


def able(dtype=torch.float32, size=(8, 8), devices=DEVICES) -> list:
    """Test parameters: kernels that support such maps, with skips for missing ones."""
    found = []
    for name, kernel in KERNELS.items():
        if reason := kernel.reason():
            skip = pytest.mark.skip(reason=reason)
            found.append(pytest.param(Kernel(name, 'none'), id=name, marks=skip))
            continue
        for device in devices:
            if not kernel.reason(torch.empty(1, 1, *size, dtype=dtype, device=device)):
                found.append(pytest.param(Kernel(name, device), id=name))
                break
    return found


def able_by_size(sizes, dtype=torch.float32) -> list:
    """Test parameters `(kernel, size)`: all supported sizes, two for slow kernels."""
    return [
        pytest.param(*param.values, size, id=f'{param.id}-{size}', marks=param.marks)
        for index, size in enumerate(sizes)
        for param in able(dtype, size)
        if index < 2 or not param.values[0].interpreted
    ]


def problem(size, channels=3, count=2, span=255.0, motion=10.0, per_channel=True):
    """Maps, scalars, divergence weights and output gradients, in fp64."""
    f1 = span * torch.rand(count, channels, *size)
    f2 = f1 + motion * torch.rand_like(f1)
    scalars = [torch.tensor(value) for value in (0.25, 0.15, 0.3)]
    shape = (channels, 2) if per_channel else (2,)
    weights = [torch.tensor([-1.0, 1.0]) + 0.1 * torch.rand(shape) for _ in range(2)]
    cotangents = torch.randn(2, *f1.shape).unbind(0)
    # Rounded to fp32, so that every precision gets the same problem.
    return [t.double() for t in (f1, f2, *scalars, *weights, *cotangents)]


def solve(problem, n_iters, kernel, dtype=torch.float64) -> dict[str, torch.Tensor]:
    """Outputs and gradients by name, in fp64."""
    tensors = (tensor.to(kernel.device, dtype, copy=True) for tensor in problem)
    *inputs, g_x, g_y = tensors
    for tensor in inputs:
        tensor.requires_grad_()
    f1, f2, tau, lam, theta, div_x, div_y = inputs
    u = representation_flow(
        f1,
        f2,
        n_iters=n_iters,
        tau=tau,
        lam=lam,
        theta=theta,
        div_x=div_x,
        div_y=div_y,
        backend=kernel.name,
    )
    gradients = torch.autograd.grad(u, inputs, (g_x, g_y), materialize_grads=True)
    values = (*(part.detach() for part in u), *gradients)
    return {name: v.double().cpu() for name, v in zip(NAMES, values, strict=True)}


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """RMS of the error over RMS of the reference; rounding noise counts as zero."""
    scale = expected.norm().item()
    difference = (actual - expected).norm().item()
    return difference / scale if scale > 1e-12 else difference
