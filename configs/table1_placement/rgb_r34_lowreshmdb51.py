# Table 1, RGB CNN: the baseline of Tables 1 and 2.
_base_ = '../_base_/r34_lowreshmdb51.py'

model = dict(backbone=dict(flow=None))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
