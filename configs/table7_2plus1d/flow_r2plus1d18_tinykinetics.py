# Table 7, "TVL-1 (2+1)D ResNet-18".
_base_ = 'rgb_r2plus1d18_tinykinetics.py'
from repflow_mm.config import set_flow

set_flow(_base_, pairs='adjacent', size=128)
