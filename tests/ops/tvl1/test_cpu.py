"""The C++ kernel: build, threads, and working without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from repflow_mm.ops import backends, representation_flow
from repflow_mm.ops.tvl1 import cpu
from tests.helpers.paths import ROOT
from tests.ops.tvl1.kernels import NAMES, Kernel, problem, solve

built = pytest.mark.skipif(bool(cpu.reason()), reason=cpu.reason())


def test_without_a_compiler_the_build_goes_through(tmp_path):
    command = [sys.executable, 'setup.py', 'build_ext']
    command += [f'--build-lib={tmp_path / "lib"}', f'--build-temp={tmp_path / "temp"}']
    nothing = dict.fromkeys(('CC', 'CXX', 'LDSHARED', 'LDCXXSHARED'), '/no/compiler')
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | nothing, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert not list(tmp_path.rglob('*.so'))


@pytest.mark.parametrize('fault', ['absent', 'stale', 'no library'])
def test_an_unusable_kernel_is_reported_and_not_used(fault, tmp_path, monkeypatch):
    library = tmp_path / '_tvl1.abi3.so'
    if fault == 'stale':
        if cpu.reason():
            pytest.skip(cpu.reason())
        monkeypatch.setattr(cpu, 'digest', lambda: 'of other sources')
    else:
        monkeypatch.setattr(cpu, '_HERE', tmp_path)
        if fault == 'no library':
            library.write_text('not a library')
    reason = cpu._load()
    expected = {
        'absent': 'the kernel was not built',
        'stale': 'was built from different sources',
        'no library': 'cannot be loaded',
    }
    assert expected[fault] in reason and 'reinstall repflow_mm' in reason
    monkeypatch.setattr(cpu, '_LIBRARY', reason)
    assert backends()['cpu'] == reason
    f1, f2 = torch.rand(2, 1, 2, 5, 5)
    assert representation_flow(f1, f2)[0].shape == f1.shape
    with pytest.raises(ValueError, match="'cpu' cannot run: .*install repflow_mm"):
        representation_flow(f1, f2, backend='cpu')


@built
def test_threads_change_nothing():
    args = problem((14, 14), channels=7)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(solve(args, 20, Kernel('cpu', 'cpu')))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(other[name], results[0][name]) for name in NAMES)


@pytest.mark.slow
@built
@pytest.mark.skipif(not Path('/proc/self/maps').exists(), reason='Linux lists them')
def test_no_second_openmp():
    code = """
import torch
from repflow_mm.ops import representation_flow
from repflow_mm.ops.tvl1 import cpu
representation_flow(*torch.rand(2, 1, 64, 28, 28), backend='cpu')
maps = open('/proc/self/maps').read().splitlines()
names = {m.split('/')[-1] for m in maps if '/' in m}
print(*(n for n in names if n.startswith(('libgomp', 'libomp', 'libiomp'))))
print(bool(cpu._parallel()))
"""
    out = subprocess.check_output([sys.executable, '-c', code], text=True)
    runtimes, handed_over = out.splitlines()
    assert len(runtimes.split()) == 1 and handed_over == 'True'
