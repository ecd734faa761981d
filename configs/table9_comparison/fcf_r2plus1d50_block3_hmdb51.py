# Table 9, "Ours ((2+1)D CNN + FcF)".
_base_ = 'repflow_r2plus1d50_block3_hmdb51.py'

model = dict(backbone=dict(flow=dict(type='FcF', num_flows=2)))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
