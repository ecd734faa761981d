"""Triton kernels: unsupported input, and compilation for GPUs that are not present."""

import os
import subprocess
import sys

import pytest
import torch

from repflow_mm.ops.tvl1 import triton
from tests.helpers.paths import ROOT

CODE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from repflow_mm.ops.tvl1 import triton_kernels

INTEGERS = 'channels h w n_iters div_stride maps segment scratch_stride'.split()
for name in ('tvl1_fwd_kernel', 'tvl1_bwd_kernel'):
    kernel = getattr(triton_kernels, name)
    types = {p.name: '*fp32' for p in kernel.params} | {'sums': '*fp64'}
    types |= {p.name: 'i32' for p in kernel.params if p.name in INTEGERS}
    types = {p.name: types[p.name] for p in kernel.params} | {'BLOCK': 'constexpr'}
    built = compile(
        ASTSource(fn=kernel, signature=types, constexprs={'BLOCK': 1024}),
        target=GPUTarget('cuda', CAPABILITY, 32),
        options=dict(num_warps=8),
    )
    assert built.asm['cubin']
    assert built.metadata.shared <= 48 * 1024, built.metadata.shared
    print(name, 'shared memory', built.metadata.shared)
"""


@pytest.mark.skipif(bool(triton.reason()), reason=triton.reason())
@pytest.mark.parametrize(
    ('maps', 'reason'),
    [
        (torch.rand(1, 1, 5, 5, dtype=torch.float64), 'fp64'),
        (torch.rand(1, 1, 64, 65), '64x65 are too large for the kernel'),
        (torch.rand(1, 1, 64, 64), ''),
    ],
)
def test_what_it_cannot_take(maps, reason):
    found = triton.reason(maps.cuda() if torch.cuda.is_available() else maps)
    assert bool(found) == bool(reason) and reason in found


# Needs no GPU, interpreter or not.
@pytest.mark.slow
@pytest.mark.skipif(bool(triton._NOT_INSTALLED), reason=triton._NOT_INSTALLED)
@pytest.mark.parametrize('capability', [80, 90])
def test_kernels_compile(capability):
    result = subprocess.run(
        [sys.executable, '-c', CODE.replace('CAPABILITY', str(capability))],
        env=os.environ | dict(TRITON_INTERPRET='0'),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    print(result.stdout)
