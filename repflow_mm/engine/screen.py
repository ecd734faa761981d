"""Console output of a run: a summary and its progress.

The log file has everything, including the environment, the config and all warnings.
"""

import logging
import sys
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

import mmengine
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, Runner

from repflow_mm.allocator import memory_is_kept
from repflow_mm.layers.base import MotionLayer

try:
    import resource
except ImportError:  # Windows
    resource = None

_MMENGINE = Path(mmengine.__file__).parent
_OPENMMLAB = tuple(
    str(_MMENGINE.with_name(p)) for p in ('mmengine', 'mmaction', 'mmcv')
)
# From MMEngine, show the lines of its hooks (losses, metrics, checkpoints written) and
# what is resumed.
_PROGRESS = str(_MMENGINE / 'hooks')
_RESUMED = ('resume', 'load_checkpoint')


class Screen(AbstractContextManager):
    """Context manager that keeps the console output of a run short.

    Python's warnings, and what MMEngine, mmcv and MMAction2 log beyond a run's
    progress, only go to the log file. Errors, and what this package or a user's own
    modules log, are shown. On ranks other than 0 MMEngine only shows errors.
    """

    def __init__(self) -> None:
        self._logger: MMLogger | None = None
        self._early: list[str] = []
        self._show_warning = warnings.showwarning

    def __enter__(self) -> 'Screen':
        self._show_warning, warnings.showwarning = warnings.showwarning, self._keep
        return self

    def __exit__(self, *error) -> None:
        warnings.showwarning = self._show_warning

    def attach(self, logger: MMLogger) -> None:
        """Filter what a logger shows; log the warnings collected so far."""
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_is_shown)
        self._logger, early, self._early = logger, self._early, []
        for text in early:
            self._log(text)

    def runner_class(self, kind: type[Runner]) -> type[Runner]:
        """A subclass of a runner class that attaches its logger once it is built."""

        def build_logger(runner: Runner, *args, **kwargs) -> MMLogger:
            logger = kind.build_logger(runner, *args, **kwargs)
            self.attach(logger)
            return logger

        return type(kind.__name__, (kind,), dict(build_logger=build_logger))

    def _keep(self, message, category, filename, lineno, file=None, line=None) -> None:
        self._log(warnings.formatwarning(message, category, filename, lineno).strip())

    def _log(self, text: str) -> None:
        if self._logger is None:
            self._early.append(text)
        else:
            self._logger.warning(text, extra=dict(screen=False))


class SummaryHook(Hook):
    """Logs a short summary of the run before it starts, and its peak memory."""

    priority = 'VERY_LOW'

    def before_run(self, runner: Runner) -> None:
        """Log the summary."""
        lines = dict(
            config=runner.cfg.filename,
            work_dir=runner.work_dir,
            data=_data(runner),
            model=_model(runner),
            log=Path(runner.log_dir) / f'{runner.timestamp}.log',
        )
        for name, line in lines.items():
            runner.logger.info(f'{name.replace("_", " ") + ":":<10}{line}')

    def after_run(self, runner: Runner) -> None:
        """Log the peak memory of this process."""
        if resource is None:
            return
        unit = 1 if sys.platform == 'darwin' else 1024  # bytes
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        kept = ', freed memory is kept' if memory_is_kept() else ''
        runner.logger.info(f'peak memory: {peak / 2**30:.1f} GiB{kept}')


def _data(runner: Runner) -> str:
    parts = []
    for name, loop in (
        ('training', runner._train_loop),
        ('validation', runner._val_loop),
        ('testing', runner._test_loop),
    ):
        if isinstance(loop, BaseLoop):
            samples, batches = len(loop.dataloader.dataset), len(loop.dataloader)
            plural = '' if batches == 1 else 'es'
            parts.append(f'{samples} samples for {name} in {batches} batch{plural}')
    return ', '.join(parts)


def _model(runner: Runner) -> str:
    total = sum(p.numel() for p in runner.model.parameters())
    text = f'{total / 1e6:.2f} M parameters'
    for name, layer in runner.model.named_modules():
        if isinstance(layer, MotionLayer):
            own = sum(p.numel() for p in layer.parameters())
            name = name.removeprefix('module.')
            text += f', {own / 1e6:.3f} M of them in {name} ({type(layer).__name__})'
    return text if 'in ' in text else f'{text}, no motion layer'


def _is_shown(record: logging.LogRecord) -> bool:
    shown = getattr(record, 'screen', None)
    if shown is not None:
        return shown
    if record.levelno >= logging.ERROR or not record.pathname.startswith(_OPENMMLAB):
        return True
    if record.pathname.startswith(_PROGRESS):
        # The checkpoint folder and the experiment name are not progress.
        once = record.funcName == 'before_train'
        return not once and not record.getMessage().startswith('Exp name')
    return record.funcName in _RESUMED
