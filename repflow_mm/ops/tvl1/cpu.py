"""The fused solver in C++, called through ctypes.

The library is independent of the versions of PyTorch and Python. `setup.py` builds it
if it finds a compiler. A map stays in a core's cache throughout the iterations; the
backward pass keeps only the two input maps and recomputes the iterations.
"""

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import torch
from torch import Tensor

from repflow_mm.ops.tvl1.backend import Problem
from repflow_mm.ops.tvl1.csrc_digest import digest

DEVICE = 'cpu'

_HERE = Path(__file__).parent
_TENSORS = ('f1', 'f2', 'u_x', 'u_y', 'g_x', 'g_y', 'd_f1', 'd_f2', 'sums')


def _arguments(real: type) -> type[ctypes.Structure]:
    """Mirrors `struct Arguments` in csrc/tvl1.cpp."""
    fields: list[tuple[str, type]]
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
    """The library, or why it is unavailable."""
    again = 'reinstall repflow_mm with a C++ compiler (g++ or clang++) available'
    names = [_HERE / f'_tvl1{suffix}' for suffix in EXTENSION_SUFFIXES]
    found = [path for path in names if path.is_file()]
    if not found:
        return f'the kernel was not built: {again}'
    try:
        library = ctypes.CDLL(str(found[0]))
        sources = ctypes.c_char_p.in_dll(library, 'repflow_tvl1_sources')
    except (OSError, ValueError) as error:
        return f'{found[0]} cannot be loaded ({error}): {again}'
    if sources.value != digest().encode():
        return f'{found[0]} was built from different sources: {again}'
    return library


_LIBRARY = _load()


def reason(f: Tensor | None = None) -> str:
    """See :meth:`Backend.reason`."""
    if isinstance(_LIBRARY, str):
        return _LIBRARY
    if f is None or f.device.type == 'cpu':
        return ''
    return f'the maps are on {f.device}'


@cache
def _parallel() -> ctypes.c_void_p:
    """Entry point of the OpenMP runtime that PyTorch loaded, or null.

    The kernel shares its threads: a second pool would compete with them, since they
    spin between operations.
    """
    try:
        maps = os.fsdecode(Path('/proc/self/maps').read_bytes())
    except OSError:
        return ctypes.c_void_p()
    paths = dict.fromkeys(line.split(maxsplit=5)[-1] for line in maps.splitlines())
    runtimes = [
        path
        for path in paths
        if Path(path).name.startswith(('libgomp', 'libiomp', 'libomp'))
    ]
    # Other packages bring their own; PyTorch's lies in or beside its folder.
    ours = str(Path(torch.__file__).parent)
    for path in sorted(runtimes, key=lambda path: not path.startswith(ours)):
        try:
            library = ctypes.CDLL(path)
        except OSError:  # deleted since
            continue
        if hasattr(library, 'GOMP_parallel'):
            return ctypes.cast(library.GOMP_parallel, ctypes.c_void_p)
    return ctypes.c_void_p()


def _run(problem: Problem, backward: bool, **own: Tensor) -> None:
    """Call the library; `own` holds its outputs, and gradients w.r.t. the flow."""
    f1, f2, tau, lam, theta, div_x, div_y, kernels, n_iters = problem
    n, c, h, w = f1.shape
    tensors = dict(own, f1=f1, f2=f2, div_x=div_x, div_y=div_y, kernels=kernels)
    arguments = _ARGUMENTS[f1.dtype](
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
        tau=float(tau),
        lam=float(lam),
        theta=float(theta),
        div_stride=2 if div_x.dim() == 2 else 0,
        maps=n * c,
        channels=c,
        h=h,
        w=w,
        n_iters=n_iters,
    )
    suffix = 'f32' if f1.dtype == torch.float32 else 'f64'
    solve = getattr(_LIBRARY, f'repflow_tvl1_{suffix}')
    threads = torch.get_num_threads()
    if not solve(ctypes.byref(arguments), int(backward), threads, _parallel()):
        raise MemoryError('out of memory for the scratch space of the TV-L1 solver')


def forward(problem: Problem) -> tuple[Tensor, Tensor]:
    """See :meth:`Backend.forward`; fp32 or fp64."""
    u_x, u_y = torch.empty_like(problem.f1), torch.empty_like(problem.f1)
    _run(problem, backward=False, u_x=u_x, u_y=u_y)
    return u_x, u_y


def backward(
    g: tuple[Tensor, Tensor], problem: Problem
) -> tuple[Tensor, Tensor, Tensor]:
    """See :meth:`Backend.backward`; fp32 or fp64."""
    g_x, g_y = g
    d_f1, d_f2 = torch.empty_like(problem.f1), torch.empty_like(problem.f1)
    sums = torch.empty(*problem.f1.shape[:2], 6, dtype=torch.float64)
    _run(problem, backward=True, g_x=g_x, g_y=g_y, d_f1=d_f1, d_f2=d_f2, sums=sums)
    return d_f1, d_f2, sums
