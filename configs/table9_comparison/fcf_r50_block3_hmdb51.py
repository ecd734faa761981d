# Table 9, "Ours (2D CNN + FcF)".
_base_ = '../repflow_r50_block3_hmdb51.py'

model = dict(backbone=dict(flow=dict(type='FcF', num_flows=2)))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
