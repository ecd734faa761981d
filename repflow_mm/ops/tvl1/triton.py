"""The fused solver in Triton, for NVIDIA GPUs: host side."""

import importlib.metadata
import importlib.util
import math
import os

import torch
from torch import Tensor

from repflow_mm.ops.tvl1.backend import Problem

DEVICE = 'cuda'

# Pixels of the largest map that fits one program (56x56 is 3136).
LARGEST = 4096
# With TRITON_INTERPRET=1 Triton interprets its kernels on the CPU, for tests.
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'


def _missing() -> str:
    """What is missing from the installation; empty if nothing is."""
    if not importlib.util.find_spec('triton'):
        return 'Triton is not installed'
    try:
        version = importlib.metadata.version('triton')
    except importlib.metadata.PackageNotFoundError:
        # Builds of it have other names, such as pytorch-triton-rocm.
        names = importlib.metadata.packages_distributions().get('triton')
        if not names:
            return 'Triton is installed without its version: reinstall it'
        version = importlib.metadata.version(names[0])
    if tuple(map(int, version.split('.')[:2])) < (3, 4):
        # Its gather takes minutes to compile, and then fails.
        return f'Triton {version} is too old: 3.4 or later is needed (PyTorch 2.8)'
    return ''


_NOT_INSTALLED = _missing()


def reason(f: Tensor | None = None) -> str:
    """See :meth:`Backend.reason`."""
    if _NOT_INSTALLED:
        return _NOT_INSTALLED
    if f is None:
        gpu = INTERPRETED or torch.cuda.is_available()
        return '' if gpu else 'PyTorch finds no GPU'
    if f.device.type != ('cpu' if INTERPRETED else 'cuda'):
        return f'the maps are on {f.device}'
    if f.dtype == torch.float64:
        return 'the maps are fp64, which it does not support'
    if f.shape[-2] * f.shape[-1] > LARGEST:
        return f'maps of {f.shape[-2]}x{f.shape[-1]} are too large for the kernel'
    return ''


def _tile(f: Tensor) -> tuple[int, int]:
    """Pixels in a program's tile, and its warps: at least four pixels per thread."""
    block = max(64, 1 << (f.shape[-2] * f.shape[-1] - 1).bit_length())
    return block, min(16, max(1, block // 128))


def forward(problem: Problem) -> tuple[Tensor, Tensor]:
    """See :meth:`Backend.forward`; fp32, on one GPU."""
    from repflow_mm.ops.tvl1.triton_kernels import tvl1_fwd_kernel

    *tensors, n_iters = problem
    f1 = problem.f1
    n, c, h, w = f1.shape
    u_x, u_y = torch.empty_like(f1), torch.empty_like(f1)
    block, warps = _tile(f1)
    if f1.numel():
        with torch.cuda.device_of(f1):
            tvl1_fwd_kernel[(n * c,)](
                *tensors,
                u_x,
                u_y,
                c,
                h,
                w,
                n_iters,
                2 if problem.div_x.dim() == 2 else 0,
                BLOCK=block,
                num_warps=warps,
            )
    return u_x, u_y


def backward(
    g: tuple[Tensor, Tensor], problem: Problem
) -> tuple[Tensor, Tensor, Tensor]:
    """See :meth:`Backend.backward`; fp32, on one GPU."""
    from repflow_mm.ops.tvl1.triton_kernels import tvl1_bwd_kernel

    *tensors, n_iters = problem
    f1 = problem.f1
    n, c, h, w = f1.shape
    d_f1, d_f2 = torch.empty_like(f1), torch.empty_like(f1)
    sums = f1.new_empty(n, c, 6, dtype=torch.float64)
    block, warps = _tile(f1)
    segment = math.ceil(math.sqrt(n_iters))
    stride = 6 * block * (segment + math.ceil(n_iters / segment))
    programs = n * c
    if f1.is_cuda:
        # Two per multiprocessor, so that the scratch space stays in the L2 cache.
        properties = torch.cuda.get_device_properties(f1.device)
        programs = min(programs, 2 * properties.multi_processor_count)
    if f1.numel():
        scratch = f1.new_empty(programs * stride)
        with torch.cuda.device_of(f1):
            tvl1_bwd_kernel[(programs,)](
                *g,
                *tensors,
                d_f1,
                d_f2,
                sums,
                scratch,
                n * c,
                c,
                h,
                w,
                n_iters,
                segment,
                stride,
                2 if problem.div_x.dim() == 2 else 0,
                BLOCK=block,
                num_warps=warps,
            )
    return d_f1, d_f2, sums
