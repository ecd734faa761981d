"""Hooks that do to their own process what machines do to processes."""

import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """Dies by SIGKILL before training iteration `at`, counted over the run."""

    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Die when it is time."""
        if runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class FullDiskHook(Hook):
    """From training iteration `at` on, no file can be written."""

    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Fill the disk when it is time."""
        if runner.iter == self.at:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))
