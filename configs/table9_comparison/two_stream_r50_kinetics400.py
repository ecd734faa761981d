# Table 9, "Two-stream".
_base_ = '../rgb_r50_kinetics400.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, length=10, stride=2, pairs='adjacent', size=256)
