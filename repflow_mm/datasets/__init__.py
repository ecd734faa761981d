"""The dataset our configs read, and the synthetic motion set."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.datasets.checked_video_dataset import (  # noqa: E402  needs the mends
    CheckedVideoDataset,
)
from repflow_mm.datasets.motion_set import (  # noqa: E402
    ACCELERATION_CLASSES,
    CLASSES,
    MotionSet,
)

__all__ = ['ACCELERATION_CLASSES', 'CLASSES', 'CheckedVideoDataset', 'MotionSet']
