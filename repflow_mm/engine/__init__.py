"""The training loop, hooks and runner, and the launcher of runs."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2
from repflow_mm.engine import (
    cpu_amp,
    hooks,
    slow_parameters,  # wraps optimizers' constructors
)
from repflow_mm.engine.resumable_loop import ResumableTrainLoop
from repflow_mm.engine.variables_runner import VariablesRunner

__all__ = [
    'ResumableTrainLoop',
    'VariablesRunner',
    'cpu_amp',
    'hooks',
    'slow_parameters',
]
