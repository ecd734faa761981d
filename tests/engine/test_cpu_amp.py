"""bf16 on CPUs: the training step, and where it is refused."""

import itertools

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


def test_the_slowdown_is_that_of_the_clock(plugin, monkeypatch):
    from repflow_mm.engine import cpu_amp

    ticks = itertools.count()

    class Clock:
        """Advances by 1 s per step in fp32 and by 3 s in bf16."""

        now = 0.0

        @classmethod
        def perf_counter(cls) -> float:
            step, end = divmod(next(ticks), 2)
            cls.now += end * (3 if step % 2 else 1)
            return cls.now

    monkeypatch.setattr(cpu_amp, 'time', Clock)
    assert cpu_amp.bf16_slowdown() == 3
