"""Synthetic videos and textures with known motion; needs only numpy and OpenCV."""

from repflow_mm.datasets.synthetic.motion_set import (
    ACCELERATION_CLASSES,
    CLASSES,
    MotionSet,
)

__all__ = ['ACCELERATION_CLASSES', 'CLASSES', 'MotionSet']
