# Table 9, "OFF (RGB Only)".
_base_ = '../_base_/r50_hmdb51.py'

model = dict(backbone=dict(after='block3', flow=dict(type='OFF', spatial='diagonal')))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
