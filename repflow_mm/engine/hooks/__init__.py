"""Hooks for MMEngine's Runner, registered in MMAction2's `HOOKS`."""

from repflow_mm.engine.hooks.bad_videos import BadVideosHook
from repflow_mm.engine.hooks.channels_last import ChannelsLastHook
from repflow_mm.engine.hooks.check_labels import CheckLabelsHook
from repflow_mm.engine.hooks.check_loss import CheckLossHook
from repflow_mm.engine.hooks.check_sampling import CheckSamplingHook
from repflow_mm.engine.hooks.check_weights import CheckWeightsHook
from repflow_mm.engine.hooks.class_weights import ClassWeightsHook
from repflow_mm.engine.hooks.confusion_matrix import ConfusionMatrixHook
from repflow_mm.engine.hooks.early_stopping import ResumableEarlyStoppingHook
from repflow_mm.engine.hooks.flow_log import FlowLogHook
from repflow_mm.engine.hooks.prediction_pictures import PredictionPicturesHook
from repflow_mm.engine.hooks.raw_accuracy import RawAccuracyHook
from repflow_mm.engine.hooks.safe_checkpoint import SafeCheckpointHook
from repflow_mm.engine.hooks.sync_buffers import IterSyncBuffersHook

__all__ = [
    'BadVideosHook',
    'ChannelsLastHook',
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
    'SafeCheckpointHook',
]
