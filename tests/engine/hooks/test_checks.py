"""Hooks: NaN stops a run, fp16 overflow does not; incompatible weights are refused."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn

from repflow_mm.engine.hooks import CheckLossHook, CheckWeightsHook


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
    with pytest.raises(ValueError, match='interval must be an integer >= 1'):
        CheckLossHook(interval)


def load(checkpoint, resume=False, training=True):
    loop = object.__new__(type('Loop', (BaseLoop,), dict(run=lambda self: None)))
    runner = SimpleNamespace(
        model=nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)),
        _load_from='it.pth',
        _resume=resume,
        _train_loop=loop if training else None,
    )
    CheckWeightsHook().after_load_checkpoint(runner, checkpoint)


def weights(**changes) -> dict:
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    return dict(state) | {name.replace('_', '.', 1): v for name, v in changes.items()}


def resumable(**changes) -> dict:
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    whole = dict(state_dict=weights(), meta=dict(epoch=1, iter=2), message_hub=hub)
    return {k: v for k, v in (whole | changes).items() if v is not ...}


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('options', [{}, dict(training=False), dict(resume=True)])
def test_weights_of_any_precision_fit(dtype, options):
    load(
        resumable(state_dict=weights(**{'0_weight': torch.ones(3, 2, dtype=dtype)})),
        **options,
    )


@pytest.mark.parametrize(
    'changed',
    [
        {'0_weight': torch.ones(3, 2, dtype=torch.int64)},
        {'0_bias': torch.ones(3, dtype=torch.bool)},
        {'1_running_mean': torch.ones(3, dtype=torch.complex64)},
        {'1_num_batches_tracked': torch.tensor(1.5)},
    ],
)
@pytest.mark.parametrize('options', [{}, dict(training=False), dict(resume=True)])
def test_another_kind_of_number_is_refused_by_name(changed, options):
    (name,) = changed
    with pytest.raises(ValueError, match='the model as torch') as error:
        load(resumable(state_dict=weights(**changed)), **options)
    assert f'it.pth has {name.replace("_", ".", 1)} as torch.' in str(error.value)
    if options.get('resume'):
        with pytest.raises(ValueError, match='the model as torch'):
            load(resumable(ema_state_dict=weights(**changed)), **options)


@pytest.mark.parametrize(
    'checkpoint',
    [
        [],
        None,
        torch.ones(2),
        dict(state_dict=[1]),
        dict(state_dict=None),
        dict(state_dict={'0.weight': 'a text'}),
        dict(state_dict={0: torch.ones(2)}),
        dict(state_dict=weights(), meta={}) | dict(state_dict=dict(a=dict())),
    ],
)
def test_what_holds_no_weights(checkpoint):
    for training in (True, False):
        with pytest.raises(
            ValueError, match=r'^checkpoint it\.pth (holds|is) no'
        ) as error:
            load(checkpoint, training=training)
        assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('changed', 'name'),
    [
        (dict(meta=...), 'meta'),
        (dict(meta=[1]), 'meta'),
        (dict(meta=dict(epoch='1', iter=2)), 'meta'),
        (dict(meta=dict(epoch=1, iter=-2)), 'meta'),
        (dict(meta=dict(epoch=True, iter=2)), 'meta'),
        (dict(message_hub=...), 'message_hub'),
        (dict(message_hub=dict(log_scalars={})), 'message_hub'),
        (dict(optimizer=3), 'optimizer'),
        (dict(param_schedulers='x'), 'param_schedulers'),
    ],
)
def test_what_cannot_be_resumed(changed, name):
    load(resumable(**changed))  # its weights can be used
    with pytest.raises(ValueError, match=f'cannot be resumed, it has no {name}'):
        load(resumable(**changed), resume=True)
    load(resumable(), resume=True)
