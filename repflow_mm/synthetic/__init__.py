"""Synthetic videos and textures with known motion; needs no PyTorch."""

from repflow_mm.synthetic.kinds import ACCELERATION_CLASSES, CLASSES, KINDS
from repflow_mm.synthetic.motion_set import MotionSet

__all__ = ['ACCELERATION_CLASSES', 'CLASSES', 'KINDS', 'MotionSet']
