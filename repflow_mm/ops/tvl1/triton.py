"""The fused solver in Triton, for NVIDIA GPUs: what the host does."""

import importlib.metadata
import importlib.util
import math
import os

import torch
from torch import Tensor

# The largest map of one program: 56x56 is 3136 pixels. Beyond, the reference.
LARGEST = 4096
# With TRITON_INTERPRET=1 Triton runs its kernels in Python, on the CPU, for tests.
INTERPRETED = os.environ.get('TRITON_INTERPRET') == '1'


def _unavailable() -> str:
    if not importlib.util.find_spec('triton'):
        return 'Triton is not installed'
    version = importlib.metadata.version('triton')
    if tuple(map(int, version.split('.')[:2])) < (3, 4):
        # Its gather becomes code that takes minutes to compile, and then fails.
        return f'Triton {version} is too old: 3.4 is needed, which PyTorch 2.8 brings'
    return ''


# Why the kernel cannot run whatever the maps are; empty where it can.
UNAVAILABLE = _unavailable()


def missing() -> str:
    """What this machine lacks; empty where it has all."""
    if UNAVAILABLE or INTERPRETED or torch.cuda.is_available():
        return UNAVAILABLE
    return 'PyTorch sees no GPU'


def unfit(f: Tensor) -> str:
    """Why the kernel cannot take these maps; empty where it can."""
    if f.device.type != ('cpu' if INTERPRETED else 'cuda'):
        return f'the maps are on {f.device}'
    if f.dtype == torch.float64:
        return 'the maps are fp64, which it does not compute'
    if f.shape[-2] * f.shape[-1] > LARGEST:
        return f'maps of {f.shape[-2]}x{f.shape[-1]} are too large for one program'
    return ''


def _tile(f: Tensor) -> tuple[int, int]:
    """Pixels of a program's tile, and its warps: four pixels a thread, or more."""
    block = max(64, 1 << (f.shape[-2] * f.shape[-1] - 1).bit_length())
    return block, min(16, max(1, block // 128))


def forward(
    f1: Tensor,
    f2: Tensor,
    tau: Tensor,
    lam: Tensor,
    theta: Tensor,
    div_x: Tensor,
    div_y: Tensor,
    kernels: Tensor,
    n_iters: int,
) -> tuple[Tensor, Tensor]:
    """Flow of contiguous fp32 maps `(N, C, H, W)` on one GPU.

    Arguments as for :func:`repflow_mm.ops.tvl1.fused.tvl1`.
    """
    from repflow_mm.ops.tvl1.triton_kernels import tvl1_fwd_kernel

    n, c, h, w = f1.shape
    u_x, u_y = torch.empty_like(f1), torch.empty_like(f1)
    block, warps = _tile(f1)
    if f1.numel():
        with torch.cuda.device_of(f1):
            tvl1_fwd_kernel[(n * c,)](
                f1,
                f2,
                tau,
                lam,
                theta,
                div_x,
                div_y,
                kernels,
                u_x,
                u_y,
                c,
                h,
                w,
                n_iters,
                2 if div_x.dim() == 2 else 0,
                BLOCK=block,
                num_warps=warps,
            )
    return u_x, u_y


def backward(
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
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the maps and sums by map, as :func:`.cpu.backward`."""
    from repflow_mm.ops.tvl1.triton_kernels import tvl1_bwd_kernel

    n, c, h, w = f1.shape
    d_f1, d_f2 = torch.empty_like(f1), torch.empty_like(f1)
    sums = f1.new_empty(n, c, 6, dtype=torch.float64)
    block, warps = _tile(f1)
    segment = math.ceil(math.sqrt(n_iters))
    stride = 6 * block * (segment + math.ceil(n_iters / segment))
    programs = n * c
    if f1.is_cuda:
        # Two for each multiprocessor: the scratch space stays in the L2 cache.
        properties = torch.cuda.get_device_properties(f1.device)
        programs = min(programs, 2 * properties.multi_processor_count)
    if f1.numel():
        scratch = f1.new_empty(programs * stride)
        with torch.cuda.device_of(f1):
            tvl1_bwd_kernel[(programs,)](
                g_x,
                g_y,
                f1,
                f2,
                tau,
                lam,
                theta,
                div_x,
                div_y,
                kernels,
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
                2 if div_x.dim() == 2 else 0,
                BLOCK=block,
                num_warps=warps,
            )
    return d_f1, d_f2, sums
