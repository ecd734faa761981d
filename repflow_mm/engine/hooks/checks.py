"""Hooks that stop a run before wrong input leads to wrong results."""

import math
from collections.abc import Iterator
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner, find_latest_checkpoint
from torch import nn

from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.engine.wrapped_datasets import unwrapped
from repflow_mm.errors import DivergenceError, InputError
from repflow_mm.layers import motion_layers, motion_prefixes


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Before a run, check the labels of every list against the model's classes.

    Needs :class:`repflow_mm.datasets.CheckedVideoDataset`, also inside MMEngine's
    `RepeatDataset`, `ConcatDataset` or `ClassBalancedDataset`; others are not checked.
    """

    def before_run(self, runner: Runner) -> None:
        """Raise `InputError` on a label out of range."""
        head = getattr(_model(runner), 'cls_head', None)
        num_classes = getattr(head, 'num_classes', None)
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and num_classes is not None:
                for dataset in unwrapped(loop.dataloader.dataset):
                    if hasattr(dataset, 'check_labels'):
                        dataset.check_labels(num_classes)


@HOOKS.register_module()
class CheckSamplingHook(Hook):
    """Before training, warn if a motion layer gets frames that are far apart.

    Segment-based sampling (TSN's, `clip_len=1, num_clips=8`) takes single frames from
    all over a video, as does a `frame_interval` of about a second.
    """

    def before_train(self, runner: Runner) -> None:
        """Warn once, and name the sampler to use instead."""
        if not motion_layers(_model(runner)):
            return
        for transform in _transforms(runner.train_dataloader.dataset):
            said = _far_apart(transform)
            if said:
                runner.logger.warning(
                    'motion layers compare neighbouring frames, and '
                    f'{type(transform).__name__}({said}) takes frames that are too far '
                    'apart to see motion. Sample clips, for example with '
                    "dict(type='SampleFrames', clip_len=8, frame_interval=2, "
                    'num_clips=1), in the training, validation and test pipelines'
                )
                return


_SECOND = 24  # frames


def _far_apart(transform: object) -> str:
    """The arguments of a sampler of distant frames; empty if it is not one."""
    length, clips, interval = (
        getattr(transform, name, None)
        for name in ('clip_len', 'num_clips', 'frame_interval')
    )
    name = type(transform).__name__
    if name == 'SampleFrames' and length == 1 and (clips or 1) > 1:
        return f'clip_len=1, num_clips={clips}'
    if name == 'SampleFrames' and isinstance(interval, int) and interval >= _SECOND:
        return f'clip_len={length}, frame_interval={interval}'
    if name in ('UniformSample', 'UniformSampleFrames'):
        return f'clip_len={length}'
    return ''


def _transforms(dataset: Any) -> Iterator[object]:
    """The transforms of a dataset and of the datasets it wraps."""
    for part in unwrapped(dataset):
        yield from getattr(getattr(part, 'pipeline', None), 'transforms', ())


@HOOKS.register_module()
class CheckLossHook(Hook):
    """Stop a run whose loss is NaN or infinite.

    Nothing else does: gradient clipping spreads a NaN to every weight, and the run
    goes on and writes it to checkpoints. Overflowing gradients do not stop it: with
    fp16 the loss scaler skips such steps.

    Args:
        interval (int): Check every `interval` iterations, at least 1. A check is free,
            as MMEngine has already synchronised to log the losses. Defaults to 1.
    """

    def __init__(self, interval: int = 1) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise InputError(f'interval must be an integer >= 1, got {interval!r}')
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Raise `DivergenceError` if a loss is not finite."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        for name in outputs or ():
            history = runner.message_hub.log_scalars.get(f'train/{name}')
            if 'loss' in name and history and not math.isfinite(history.current()):
                raise DivergenceError(
                    f'{name} is {history.current()} at iteration {runner.iter + 1}: '
                    'lower the learning rate, clip gradients '
                    '(optim_wrapper.clip_grad), or look for broken input; the last '
                    'checkpoint predates it'
                )


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Reject a checkpoint of another architecture, or without weights.

    MMEngine loads what fits and only warns about the rest, so results would be those of
    a partly initialized network. Testing and resuming need every weight; fine-tuning
    (`load_from`) needs every weight of the backbone except the flow layer's. Integers
    are not accepted as weights where the model has floats. Resuming also needs the
    counters and the log. `default_hooks=dict(check_weights=None)` restores MMEngine's
    behaviour.
    """

    priority = 'VERY_HIGH'  # before EMAHook loads its copy

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Raise `InputError` if the checkpoint does not fit."""
        model = _model(runner)
        state = model.state_dict()
        # With --resume alone, MMEngine has found the file itself.
        found = runner._load_from or find_latest_checkpoint(runner.work_dir)
        file = f'checkpoint {found}'
        given = weights(file, checkpoint, state)
        if runner._resume:
            _check_resumable(file, checkpoint, state)
        training = isinstance(runner._train_loop, BaseLoop)
        fine_tuning = training and not runner._resume
        check_fit(file, given, state, fine_tuning, new=motion_prefixes(model))


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
            raise InputError(
                f'{file} cannot be resumed, it has no {name}: load only its weights '
                'with load_from'
            )
    if 'ema_state_dict' in checkpoint:
        weights(file, checkpoint, state, 'ema_state_dict')


def _model(runner: Runner) -> nn.Module:
    model = runner.model
    return model.module if is_model_wrapper(model) else model
