"""NaN stops a run, fp16 overflow does not."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from repflow_mm.engine.hooks import CheckLossHook


class Model(BaseModel):
    """A loss with one weight, multiplied by a given factor per iteration."""

    def __init__(self, factors):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.factors = iter(factors)

    def forward(self, inputs, mode):
        return dict(loss_cls=self.weight.sum() * next(self.factors))


class ScaledOptimWrapper(OptimWrapper):
    """MMEngine's AmpOptimWrapper as on a GPU, with a single gradient overflow."""

    scaler = torch.amp.GradScaler('cpu', init_scale=2.0**127)

    def scale_loss(self, loss):
        return self.scaler.scale(loss)

    def step(self, **kwargs):
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(tmp_path, factors, optim_wrapper=OptimWrapper, **options):
    model = Model(factors)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    runner = Runner(
        model,
        str(tmp_path),
        train_dataloader=dict(
            dataset=list(range(len(factors))),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=optim_wrapper(optimizer),
        custom_hooks=[dict(type='CheckLossHook', **options)],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        default_scope='mmaction',
        experiment_name=tmp_path.name,
    )
    runner.train()
    return model


@pytest.mark.parametrize('fault', [float('nan'), float('inf')])
def test_a_loss_that_is_not_finite_stops_the_run(plugin, tmp_path, fault):
    with pytest.raises(ValueError, match='at iteration 3') as error:
        train(tmp_path, [1, 1, fault, 1])
    message = str(error.value)
    assert message.startswith(f'loss is {fault}') and '\n' not in message
    assert not list(tmp_path.glob('*.pth'))


def test_losses_between_two_looks_pass(plugin, tmp_path):
    nan = float('nan')
    with pytest.raises(ValueError, match='at iteration 4'):
        train(tmp_path, [1, 1, nan, 1, nan], interval=2)


def test_an_overflow_of_scaled_gradients_does_not(plugin, tmp_path):
    model = train(tmp_path, [1e3, 1, 1], ScaledOptimWrapper)
    assert ScaledOptimWrapper.scaler.get_scale() < 2.0**127
    assert model.weight.isfinite().all()


@pytest.mark.parametrize('interval', [0, -1, 1.5, None])
def test_a_wrong_interval(interval):
    with pytest.raises(ValueError, match='interval must be '):
        CheckLossHook(interval)
