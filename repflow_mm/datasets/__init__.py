"""The dataset our configs read, and the synthetic motion set."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.datasets.checked_video_dataset import (  # noqa: E402  needs the mends
    CheckedVideoDataset,
)
from repflow_mm.datasets.motion_set import CLASSES, MotionSet  # noqa: E402

__all__ = ['CLASSES', 'CheckedVideoDataset', 'MotionSet']
