"""Incompatible weights are refused."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import BaseLoop
from torch import nn

from repflow_mm.engine.hooks import CheckWeightsHook


def load(checkpoint, resume=False, training=True):
    loop = object.__new__(type('Loop', (BaseLoop,), dict(run=lambda self: None)))
    runner = SimpleNamespace(
        model=nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)),
        _load_from='it.pth',
        _has_loaded=False,
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
