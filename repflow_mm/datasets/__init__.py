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
from repflow_mm.datasets.video_transforms import VideoDecode, VideoInit  # noqa: E402

__all__ = [
    'ACCELERATION_CLASSES',
    'CLASSES',
    'CheckedVideoDataset',
    'MotionSet',
    'VideoDecode',
    'VideoInit',
]
