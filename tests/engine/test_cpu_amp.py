"""bf16 on CPUs: the training step, and where it is refused."""

import platform

import pytest
import torch
from torch import nn


def test_a_step_computes_in_bf16_and_updates_in_fp32(plugin):
    from mmengine.optim import build_optim_wrapper

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
    optimizer = dict(type='SGD', lr=0.1)
    wrapper = build_optim_wrapper(
        model, dict(type='CPUAmpOptimWrapper', optimizer=optimizer)
    )
    before = model[0].weight.detach().clone()
    with wrapper.optim_context(model):
        scores = model(torch.rand(2, 3, 8, 8))
        assert scores.dtype == torch.bfloat16
        loss = nn.functional.cross_entropy(scores, torch.tensor([0, 1]))
    wrapper.update_params(loss)
    assert model[0].weight.dtype == torch.float32
    assert not torch.equal(model[0].weight, before)
    assert model(torch.rand(2, 3, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize('feature', ['avx512_bf16', 'amx_tile'])
def test_bf16_needs_its_instructions(plugin, monkeypatch, feature):
    from repflow_mm.engine.cpu_amp import bf16_is_slower

    monkeypatch.setattr(platform, 'machine', lambda: 'x86_64')
    for name in ('avx512_bf16', 'amx_tile'):
        monkeypatch.setattr(torch.cpu, f'_is_{name}_supported', lambda: False)
    assert 'neither AVX512_BF16 nor AMX' in bf16_is_slower()
    monkeypatch.setattr(torch.cpu, f'_is_{feature}_supported', lambda: True)
    assert bf16_is_slower() == ''
