# Table 9, "Two-Stream R(2+1)D".
_base_ = 'rgb_r2plus1d50_kinetics400.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, pairs='adjacent', size=256)
