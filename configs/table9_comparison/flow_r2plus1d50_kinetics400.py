# Table 9, "Flow of Two-Stream R(2+1)D".
_base_ = 'rgb_r2plus1d50_kinetics400.py'
from repflow_mm.config import set_flow

set_flow(_base_, pairs='adjacent', size=256)
