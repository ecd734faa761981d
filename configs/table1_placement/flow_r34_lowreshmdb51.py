# Table 1, "Flow CNN".
_base_ = 'rgb_r34_lowreshmdb51.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=10, stride=2, pairs='adjacent', size=128)
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
