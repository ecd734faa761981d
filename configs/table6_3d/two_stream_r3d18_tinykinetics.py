# Table 6, "Two-Stream 3D ResNet".
_base_ = 'rgb_r3d18_tinykinetics.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, pairs='adjacent', size=128)
