"""What surrounds a run: hooks and safe checkpoint loading."""

import repflow_mm.mended  # noqa: F401  before anything that imports MMAction2
from repflow_mm.engine.bad_videos_hook import BadVideosHook
from repflow_mm.engine.checkpoint import load_checkpoint
from repflow_mm.engine.flow_log_hook import FlowLogHook
from repflow_mm.engine.hooks import CheckLabelsHook, CheckLossHook, CheckWeightsHook
from repflow_mm.engine.prediction_pictures import PredictionPicturesHook
from repflow_mm.engine.resumable import ResumableTrainLoop
from repflow_mm.engine.safe_checkpoint_hook import AtomicBackend, SafeCheckpointHook
from repflow_mm.engine.sync_buffers_hook import IterSyncBuffersHook

__all__ = [
    'AtomicBackend',
    'BadVideosHook',
    'CheckLabelsHook',
    'CheckLossHook',
    'CheckWeightsHook',
    'FlowLogHook',
    'IterSyncBuffersHook',
    'PredictionPicturesHook',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'load_checkpoint',
]
