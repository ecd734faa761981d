"""Hooks that inject faults into their own process."""

import os
import signal
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
