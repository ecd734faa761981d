"""Hooks that stop a run before wrong input turns into wrong numbers."""

import math
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Before a run, check the labels of every list against the model's classes.

    Needs :class:`repflow_mm.datasets.CheckedVideoDataset`; other datasets are
    left alone.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise `ValueError` on a label out of range."""
        head = getattr(_model(runner), 'cls_head', None)
        num_classes = getattr(head, 'num_classes', None)
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and num_classes is not None:
                dataset = loop.dataloader.dataset
                if hasattr(dataset, 'check_labels'):
                    dataset.check_labels(num_classes)


@HOOKS.register_module()
class CheckLossHook(Hook):
    """Stop a run whose loss is NaN or infinite.

    Nothing else does: clipping turns a NaN into a NaN for every weight, and the run
    goes on to write checkpoints of them. A gradient that overflowed is no reason: with
    fp16 the loss scaler meets them and leaves the step out.

    Args:
        interval (int): Iterations from one look to the next, at least 1. Looking
            is free, as MMEngine logs every iteration's losses as numbers, and has
            waited for them. Defaults to 1.
    """

    def __init__(self, interval: int = 1) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise ValueError(f'interval must be an integer >= 1, got {interval!r}')
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Raise `ValueError` if a loss is not finite."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        for name in outputs or ():
            history = runner.message_hub.log_scalars.get(f'train/{name}')
            if 'loss' in name and history and not math.isfinite(history.current()):
                raise ValueError(
                    f'{name} is {history.current()} at iteration {runner.iter + 1}: '
                    'lower the learning rate, clip gradients '
                    '(optim_wrapper.clip_grad), or look for broken input; the last '
                    'checkpoint is from before'
                )


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Refuse a checkpoint of another architecture, or of no weights at all.

    MMEngine loads what fits and warns about the rest, and the numbers are those
    of a half-initialised network. Testing and resuming need every weight;
    fine-tuning (`load_from`) needs every weight of the backbone but those of the
    flow layer. Integers are no weights where the model has floats. To resume, the
    counts and the log have to be there too. `default_hooks=dict(check_weights=None)`
    leaves the choice to MMEngine.
    """

    priority = 'VERY_HIGH'  # before EMAHook loads its copy

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Raise `ValueError` if the checkpoint does not fit."""
        state = _model(runner).state_dict()
        file = f'checkpoint {runner._load_from}'
        given = _weights(file, checkpoint, state)
        if runner._resume:
            _check_resumable(file, checkpoint, state)
        wanted = {
            k: v for k, v in state.items() if not k.endswith('num_batches_tracked')
        }
        missing = [k for k in wanted if k not in given]
        reshaped = [
            k for k in wanted if k in given and given[k].shape != wanted[k].shape
        ]
        unknown = [
            k
            for k in given
            if k not in wanted and not k.endswith('num_batches_tracked')
        ]
        training = isinstance(runner._train_loop, BaseLoop)
        if training and not runner._resume:
            missing = [k for k in missing if _is_pretrained(k)]
            reshaped = [k for k in reshaped if _is_pretrained(k)]
            unknown = []
        if not missing and not reshaped and not unknown:
            return
        counts = [
            f'{len(keys)} {what} (first: {keys[0][:100]!r})'
            for keys, what in (
                (missing, 'weights of the model are not in it'),
                (reshaped, 'have another shape'),
                (unknown, 'of its weights are not in the model'),
            )
            if keys
        ]
        raise ValueError(
            f'{file} is of another architecture: '
            f'{"; ".join(counts)}. Use the config it was trained with'
        )


def _weights(file: str, checkpoint: Any, state: dict, key: str = 'state_dict') -> dict:
    """The weights in a checkpoint, once they are weights."""
    given = checkpoint.get(key, checkpoint) if isinstance(checkpoint, dict) else None
    if not isinstance(given, dict):
        raise ValueError(f'{file} holds no {key}, a dict of weights by name')
    weights = {}
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(
                f'{file} is no {key}: weights are tensors by name, and entry '
                f'{str(name)[:40]!r} is a {type(value).__name__}'
            )
        weights[name.removeprefix('module.')] = value
    for name in weights.keys() & state.keys():
        if _kind(weights[name]) != _kind(state[name]):
            raise ValueError(
                f'{file} has {name} as {weights[name].dtype}, the model as '
                f'{state[name].dtype}: MMEngine would convert it without a word'
            )
    return weights


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex() or tensor.is_floating_point():
        return 'complex' if tensor.is_complex() else 'float'
    return 'bool' if tensor.dtype == torch.bool else 'integer'


def _check_resumable(file: str, checkpoint: dict, state: dict) -> None:
    def inside(key: str) -> dict:
        value = checkpoint.get(key)
        return value if isinstance(value, dict) else {}

    meta, hub = inside('meta'), inside('message_hub')
    sound = {
        "meta with 'epoch' and 'iter'": all(
            type(meta.get(name)) is int and meta[name] >= 0
            for name in ('epoch', 'iter')
        ),
        'message_hub': all(
            isinstance(hub.get(name), dict)
            for name in ('log_scalars', 'runtime_info', 'resumed_keys')
        ),
        'optimizer': isinstance(checkpoint.get('optimizer', {}), dict),
        'param_schedulers': isinstance(
            checkpoint.get('param_schedulers', []), list | dict
        ),
    }
    for name, there in sound.items():
        if not there:
            raise ValueError(
                f'{file} cannot be resumed, it has no {name}: load its weights alone '
                'with load_from'
            )
    if 'ema_state_dict' in checkpoint:
        _weights(file, checkpoint, state, 'ema_state_dict')


def _is_pretrained(key: str) -> bool:
    return key.startswith('backbone.') and not key.startswith('backbone.flow.')


def _model(runner: Runner) -> nn.Module:
    model = runner.model
    return model.module if is_model_wrapper(model) else model
