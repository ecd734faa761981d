# Table 2, "All".
_base_ = '../_base_/r34_lowreshmdb51.py'

model = dict(
    backbone=dict(
        after='block3',
        flow=dict(n_iters=100, learn=('sobel', 'div', 'tau', 'lam', 'theta')),
    )
)
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
