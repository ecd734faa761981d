"""What a run shows on the console.

The log file has everything, including the environment, the config and all warnings.
"""

import logging
import os
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

import mmengine
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

_OURS = str(Path(__file__).parent.parent) + os.sep
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
    progress, only go to the log file. Errors, this package's warnings, and what it or a
    user's own modules log, are shown. On ranks other than 0 MMEngine only shows errors.
    """

    def __init__(self) -> None:
        self._logger: MMLogger | None = None
        self._early: list[tuple[str, bool]] = []
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
        for text, shown in early:
            self._log(text, shown)

    def runner_class(self, kind: type[Runner]) -> type[Runner]:
        """A subclass of a runner class that attaches its logger once it is built."""

        def build_logger(runner: Runner, *args, **kwargs) -> MMLogger:
            runner._experiment_name = _unused(runner._experiment_name)
            logger = kind.build_logger(runner, *args, **kwargs)
            self.attach(logger)
            return logger

        return type(kind.__name__, (kind,), dict(build_logger=build_logger))

    def _keep(self, message, category, filename, lineno, file=None, line=None) -> None:
        # NumPy's and PyTorch's also name the line that called them.
        ours = category is UserWarning and filename.startswith(_OURS)
        text = warnings.formatwarning(message, category, filename, lineno)
        self._log(str(message) if ours else text.strip(), shown=ours)

    def _log(self, text: str, shown: bool) -> None:
        if self._logger is None:
            self._early.append((text, shown))
        else:
            self._logger.warning(text, extra=dict(screen=shown))


def _unused(name: str) -> str:
    """A name under which MMEngine keeps nothing of an earlier run of this process.

    It finds the logger, message hub and visualizer of a run by a name that ends in the
    second of its start, so that a second run within it would write to the first one's.
    """
    kept = (MMLogger, MessageHub, Visualizer)
    while any(kind.check_instance_created(name) for kind in kept):
        name += '_again'
    return name


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
