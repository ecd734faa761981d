# Table 9, "Flow".
_base_ = '../rgb_r50_kinetics400.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=10, stride=2, pairs='adjacent', size=256)
