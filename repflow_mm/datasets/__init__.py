"""The dataset our configs read, and the synthetic motion set."""

import repflow_mm.mended  # noqa: F401  before anything that imports MMAction2
from repflow_mm.datasets.checked_video_dataset import CheckedVideoDataset
from repflow_mm.datasets.motion_set import ACCELERATION_CLASSES, CLASSES, MotionSet
from repflow_mm.datasets.video_transforms import VideoDecode, VideoInit

__all__ = [
    'ACCELERATION_CLASSES',
    'CLASSES',
    'CheckedVideoDataset',
    'MotionSet',
    'VideoDecode',
    'VideoInit',
]
