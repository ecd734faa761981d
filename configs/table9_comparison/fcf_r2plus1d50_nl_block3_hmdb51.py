# Table 9, "Ours ((2+1)D CNN + FcF) + Non-local".
_base_ = '../_base_/r2plus1d50_nl_hmdb51.py'

model = dict(
    backbone=dict(after='block3', flow=dict(type='FcF', num_flows=2, n_iters=20))
)
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
