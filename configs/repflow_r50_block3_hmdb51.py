# From ImageNet weights; table9_comparison/ has HMDB(+Kin), from Kinetics-400 weights.
# --cfg-options split=2 or split=3 selects another split.
_base_ = '_base_/r50_hmdb51.py'

model = dict(backbone=dict(after='block3', flow=dict(flow_channels=32, n_iters=20)))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
