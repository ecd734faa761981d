# Table 9, RGB R(2+1)D.
_base_ = '../_base_/r2plus1d50_hmdb51.py'

model = dict(backbone=dict(flow=None))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
