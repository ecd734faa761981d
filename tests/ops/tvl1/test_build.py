"""The compiled kernel is a bonus: nothing fails where it cannot be had."""

import os
import subprocess
import sys

import pytest
import torch

from repflow_mm.ops import backends, representation_flow
from repflow_mm.ops.tvl1 import cpu
from tests.helpers.paths import ROOT


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
def test_a_kernel_that_cannot_be_used_is_told_and_not_used(
    fault, tmp_path, monkeypatch
):
    library = tmp_path / '_tvl1.abi3.so'
    if fault == 'stale':
        if cpu.UNAVAILABLE:
            pytest.skip(cpu.UNAVAILABLE)
        monkeypatch.setattr(cpu, 'digest', lambda: 'of other sources')
    else:
        monkeypatch.setattr(cpu, '_HERE', tmp_path)
        if fault == 'no library':
            library.write_text('not a library')
    reason = cpu._load()
    expected = {
        'absent': 'the kernel was not built',
        'stale': 'was built from other sources',
        'no library': 'cannot be loaded',
    }
    assert expected[fault] in reason and 'install repflow_mm again' in reason
    monkeypatch.setattr(cpu, 'UNAVAILABLE', reason)
    assert backends()['cpu'] == reason
    f1, f2 = torch.rand(2, 1, 2, 5, 5)
    assert representation_flow(f1, f2)[0].shape == f1.shape
    with pytest.raises(ValueError, match="'cpu' cannot run: .*install repflow_mm"):
        representation_flow(f1, f2, backend='cpu')
