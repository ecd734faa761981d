"""Videos and textures whose motion is known; numpy and OpenCV alone."""

from repflow_mm.datasets.synthetic.motion_set import (
    ACCELERATION_CLASSES,
    CLASSES,
    MotionSet,
)

__all__ = ['ACCELERATION_CLASSES', 'CLASSES', 'MotionSet']
