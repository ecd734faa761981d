"""Hooks that inject faults into their own process."""

import os
import signal
import time
from pathlib import Path

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """Dies by SIGKILL before training iteration `at`, counted over the run."""

    def __init__(self, at: int, rank: int = 0) -> None:
        self.at, self.rank = at, rank

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Die when it is time."""
        if runner.iter == self.at and runner.rank == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class SignalHook(Hook):
    """Sends a signal to its own process when an iteration begins.

    Args:
        name (str): The signal.
        at (int): Iterations trained so far.
        stage (str): `'train'` or `'val'`. Defaults to `'train'`.
        rank (int): The process. Defaults to 0.
        group (bool): Whether to signal the whole process group. Defaults to False.
    """

    def __init__(
        self,
        name: str,
        at: int,
        stage: str = 'train',
        rank: int = 0,
        group: bool = False,
    ) -> None:
        self.number = getattr(signal, name)
        self.at, self.stage, self.rank, self.group = at, stage, rank, group

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Send it when it is time."""
        self._send(runner, 'train')

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Send it when it is time."""
        self._send(runner, 'val')

    def _send(self, runner, stage: str) -> None:
        here = runner.iter, stage, runner.rank
        if here == (self.at, self.stage, self.rank):
            os.kill(0 if self.group else os.getpid(), self.number)


@HOOKS.register_module()
class DumpRankHook(Hook):
    """Saves each process's final weights and buffers, and their averages."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def after_train(self, runner) -> None:
        """Save them."""
        ema = next(hook for hook in runner.hooks if isinstance(hook, EMAHook))
        state = dict(own=ema.src_model.state_dict(), ema=ema.ema_model.state_dict())
        torch.save(state, self.folder / f'{runner.world_size}_{runner.rank}.pth')


@HOOKS.register_module()
class FullDiskHook(Hook):
    """From training iteration `at` on, files are limited to a megabyte."""

    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Set the limit when it is time."""
        if runner.iter == self.at:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


@HOOKS.register_module()
class StandStillHook(Hook):
    """Says so and waits in every iteration of training and testing.

    Args:
        seconds (float): How long. Defaults to 60.
    """

    def __init__(self, seconds: float = 60) -> None:
        self.seconds = seconds

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Wait."""
        print('standing still', flush=True)
        time.sleep(self.seconds)

    before_test_iter = before_train_iter
