# Table 1, "Two-Stream CNN".
_base_ = 'rgb_r34_lowreshmdb51.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, length=10, stride=2, pairs='adjacent', size=128)
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
