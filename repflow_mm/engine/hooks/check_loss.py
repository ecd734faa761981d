"""Losses that are NaN or infinite."""

import math
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.checks import check_count
from repflow_mm.errors import DivergenceError


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
        self.interval = check_count('interval', interval)

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
