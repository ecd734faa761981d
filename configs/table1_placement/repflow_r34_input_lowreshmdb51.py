# Table 1, "Flow Layer on RGB Input".
_base_ = '../_base_/r34_lowreshmdb51.py'

model = dict(backbone=dict(after='input', flow=dict(n_iters=100, learn=())))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
