"""The dataset our configs read, and the synthetic motion set."""

from repflow_mm.datasets.checked_video_dataset import CheckedVideoDataset
from repflow_mm.datasets.motion_set import CLASSES, MotionSet

__all__ = ['CLASSES', 'CheckedVideoDataset', 'MotionSet']
