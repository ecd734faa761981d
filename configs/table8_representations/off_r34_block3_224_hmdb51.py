# Table 8, "RGB-OFF" on HMDB51.
_base_ = '../_base_/r34_224_hmdb51.py'

model = dict(backbone=dict(after='block3', flow=dict(type='OFF', spatial='diagonal')))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
