"""The training loop, hooks and runner, and the launcher of runs."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2
from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.engine import slow_parameters  # wraps optimizers' constructors
from repflow_mm.engine.hooks import (
    BadVideosHook,
    CheckLabelsHook,
    CheckLossHook,
    CheckSamplingHook,
    CheckWeightsHook,
    ClassWeightsHook,
    ConfusionMatrixHook,
    FlowLogHook,
    IterSyncBuffersHook,
    PredictionPicturesHook,
    RawAccuracyHook,
    ResumableEarlyStoppingHook,
    SafeCheckpointHook,
)
from repflow_mm.engine.resumable_loop import ResumableTrainLoop
from repflow_mm.engine.variables_runner import VariablesRunner

__all__ = [
    'BadVideosHook',
    'CheckLabelsHook',
    'CheckLossHook',
    'CheckSamplingHook',
    'CheckWeightsHook',
    'ClassWeightsHook',
    'ConfusionMatrixHook',
    'FlowLogHook',
    'IterSyncBuffersHook',
    'PredictionPicturesHook',
    'RawAccuracyHook',
    'ResumableEarlyStoppingHook',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'VariablesRunner',
    'load_checkpoint',
    'slow_parameters',
]
