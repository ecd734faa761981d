# Table 6, "TVL-1 3D ResNet-18".
_base_ = 'rgb_r3d18_tinykinetics.py'
from repflow_mm.config import set_flow

set_flow(_base_, pairs='adjacent', size=128)
