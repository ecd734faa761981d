# Table 9, RGB.
_base_ = '../_base_/r50_hmdb51.py'

model = dict(backbone=dict(flow=None))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
