# Table 1, "After Block 2".
_base_ = '../_base_/r34_lowreshmdb51.py'

model = dict(backbone=dict(after='block2', flow=dict(n_iters=100, learn=())))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
