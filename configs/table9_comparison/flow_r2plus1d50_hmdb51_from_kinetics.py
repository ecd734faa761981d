# Table 9, "Flow of Two-Stream R(2+1)D", HMDB(+Kin).
_base_ = 'rgb_r2plus1d50_hmdb51_from_kinetics.py'
from repflow_mm.config import set_flow

set_flow(_base_, pairs='adjacent', size=256)
load_from = 'work_dirs/flow_r2plus1d50_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
