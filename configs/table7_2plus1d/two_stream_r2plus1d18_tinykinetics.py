# Table 7, "Two-Stream (2+1)D ResNet".
_base_ = 'rgb_r2plus1d18_tinykinetics.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, pairs='adjacent', size=128)
