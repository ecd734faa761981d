"""What measurements were made on."""

import torch

from repflow_mm.machine import machine


def test_without_git(monkeypatch):
    monkeypatch.setenv('PATH', '')
    found = machine(torch.device('cpu'))
    assert found['commit'] == 'unknown'
    assert found['PyTorch'] == torch.__version__
