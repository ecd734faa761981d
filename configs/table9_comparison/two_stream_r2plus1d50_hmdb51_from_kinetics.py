# Table 9, "Two-Stream R(2+1)D", HMDB(+Kin).
_base_ = 'rgb_r2plus1d50_hmdb51_from_kinetics.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, pairs='adjacent', size=256)
load_from = 'work_dirs/two_stream_r2plus1d50_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
