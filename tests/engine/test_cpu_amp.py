"""bf16 on CPUs: the training step, and where it is refused."""

import itertools

import pytest
import torch
from torch import nn

from repflow_mm import compat
from repflow_mm.errors import InputError
from tests.helpers.compat import fault


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


def test_it_is_refused_beside_a_gpu(plugin, monkeypatch):
    from mmengine.optim import build_optim_wrapper

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cfg = dict(type='CPUAmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    with pytest.raises(InputError, match='AmpOptimWrapper'):
        build_optim_wrapper(nn.Linear(1, 1), cfg)


@pytest.mark.parametrize('average', ['prob', 'score', None])
def test_a_recognizer_predicts_in_bf16(plugin, average):
    from mmaction.registry import METRICS, MODELS
    from mmaction.structures import ActionDataSample

    assert compat.state(fault('bf16')) == 'patched'
    head = MODELS.build(
        dict(type='TSNHead', num_classes=3, in_channels=4, average_clips=average)
    ).eval()
    nn.init.normal_(head.fc_cls.weight)
    maps = torch.rand(4, 4, 2, 2)
    samples = [ActionDataSample().set_gt_label(i) for i in range(2)]
    with torch.no_grad():
        exact = head.predict(maps, samples, num_segs=2)
        expected = [sample.pred_score.clone() for sample in exact]
        with torch.autocast('cpu', torch.bfloat16):
            found = head.predict(maps, samples, num_segs=2)
    for sample, score in zip(found, expected, strict=True):
        assert sample.pred_score.dtype == torch.float32
        torch.testing.assert_close(sample.pred_score, score, atol=0.02, rtol=0.02)
    if average:
        metric = METRICS.build(dict(type='AccMetric'))
        metric.process({}, [sample.to_dict() for sample in found])


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
