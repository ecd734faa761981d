"""The fused solver in C++, through ctypes: no tie to a version of PyTorch or Python.

`setup.py` builds `csrc/` where a compiler is there. Each map stays in a core's cache
through all iterations; the backward keeps the two input maps and computes the
iterations again.
"""

import ctypes
import sysconfig
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from repflow_mm.ops.tvl1.sources import digest

_HERE = Path(__file__).parent
_TENSORS = ('f1', 'f2', 'u_x', 'u_y', 'g_x', 'g_y', 'd_f1', 'd_f2', 'sums')


def _arguments(real: type) -> type[ctypes.Structure]:
    """`struct Arguments` of csrc/tvl1.cpp."""
    fields = [(name, ctypes.c_void_p) for name in (*_TENSORS, 'div_x', 'div_y')]
    fields += [('div_stride', ctypes.c_long), ('kernels', ctypes.c_void_p)]
    fields += [(name, ctypes.c_long) for name in ('maps', 'channels', 'h', 'w')]
    fields += [('n_iters', ctypes.c_int)]
    fields += [(name, real) for name in ('tau', 'lam', 'theta')]
    return type('Arguments', (ctypes.Structure,), dict(_fields_=fields))


_ARGUMENTS = {
    torch.float32: _arguments(ctypes.c_float),
    torch.float64: _arguments(ctypes.c_double),
}


def _load() -> ctypes.CDLL | str:
    """The library, or why there is none."""
    again = 'install repflow_mm again, with a C++ compiler (g++ or clang++) at hand'
    suffixes = {'.abi3.so', '.so', sysconfig.get_config_var('EXT_SUFFIX')}
    names = [_HERE / f'_tvl1{suffix}' for suffix in suffixes if suffix]
    found = [path for path in names if path.is_file()]
    if not found:
        return f'the kernel was not built: {again}'
    try:
        library = ctypes.CDLL(str(found[0]))
        built_from = ctypes.c_char_p.in_dll(library, 'repflow_tvl1_sources').value
    except (OSError, ValueError) as error:
        return f'{found[0]} cannot be loaded ({error}): {again}'
    if built_from.decode() != digest():
        return f'{found[0]} was built from other sources: {again}'
    return library


_LIBRARY = _load()
# Why the kernel cannot run whatever the maps are; empty where it can.
UNAVAILABLE = _LIBRARY if isinstance(_LIBRARY, str) else ''


def missing() -> str:
    """What this machine lacks; empty where it has all."""
    return UNAVAILABLE


def unfit(f: Tensor) -> str:
    """Why the kernel cannot take these maps; empty where it can."""
    return '' if f.device.type == 'cpu' else f'the maps are on {f.device}'


@cache
def _parallel() -> ctypes.c_void_p:
    """OpenMP's entry point in the runtime that PyTorch brought, or null.

    Its threads do the kernel's work too: a second pool would fight the first, whose
    threads spin between two operations.
    """
    try:
        maps = Path('/proc/self/maps').read_text()
    except OSError:
        return ctypes.c_void_p()
    for path in {line.split(maxsplit=5)[-1] for line in maps.splitlines()}:
        if Path(path).name.startswith(('libgomp', 'libiomp', 'libomp')):
            entry = getattr(ctypes.CDLL(path), 'GOMP_parallel', None)
            return ctypes.cast(entry, ctypes.c_void_p)
    return ctypes.c_void_p()


def _run(
    tensors: dict[str, Tensor],
    scalars: dict[str, Tensor],
    div_x: Tensor,
    div_y: Tensor,
    kernels: Tensor,
    n_iters: int,
) -> None:
    f1 = tensors['f1']
    n, c, h, w = f1.shape
    # Kept in a name: the kernel gets addresses.
    tensors = tensors | dict(div_x=div_x, div_y=div_y, kernels=kernels)
    arguments = _ARGUMENTS[f1.dtype](
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
        **{name: value.item() for name, value in scalars.items()},
        div_stride=2 if div_x.dim() == 2 else 0,
        maps=n * c,
        channels=c,
        h=h,
        w=w,
        n_iters=n_iters,
    )
    suffix = 'f32' if f1.dtype == torch.float32 else 'f64'
    solve = getattr(_LIBRARY, f'repflow_tvl1_{suffix}')
    backward = int('sums' in tensors)
    threads = torch.get_num_threads()
    if not solve(ctypes.byref(arguments), backward, threads, _parallel()):
        raise MemoryError('no memory for the scratch space of the TV-L1 solver')


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
    """Flow of contiguous CPU maps `(N, C, H, W)` in fp32 or fp64.

    Arguments as for :func:`repflow_mm.ops.tvl1.fused.tvl1`.
    """
    u_x, u_y = torch.empty_like(f1), torch.empty_like(f1)
    tensors = dict(f1=f1, f2=f2, u_x=u_x, u_y=u_y)
    scalars = dict(tau=tau, lam=lam, theta=theta)
    _run(tensors, scalars, div_x, div_y, kernels, n_iters)
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
    """Gradients of the maps, and the sums that those of the parameters are made of.

    Returns:
        tuple[Tensor, Tensor, Tensor]: `(N, C, H, W)` twice, and `(N, C, 6)` in fp64:
        by map, the gradients of `lam * theta` and `tau / theta`, and those of
        `theta` times the divergence weights (x before, x here, y before, y here).
    """
    d_f1, d_f2 = torch.empty_like(f1), torch.empty_like(f1)
    sums = torch.empty(*f1.shape[:2], 6, dtype=torch.float64)
    tensors = dict(f1=f1, f2=f2, g_x=g_x, g_y=g_y, d_f1=d_f1, d_f2=d_f2, sums=sums)
    scalars = dict(tau=tau, lam=lam, theta=theta)
    _run(tensors, scalars, div_x, div_y, kernels, n_iters)
    return d_f1, d_f2, sums
