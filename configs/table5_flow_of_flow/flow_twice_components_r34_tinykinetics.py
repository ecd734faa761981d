# Table 5, "TVL-1 twice": TV-L1 of both components of TV-L1.
_base_ = '../table1_placement/rgb_r34_tinykinetics.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=10, stride=2, pairs='adjacent', size=128, twice='components')
