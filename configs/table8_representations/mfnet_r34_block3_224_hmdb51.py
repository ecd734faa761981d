# Table 8, "MFNet" on HMDB51: the sum of motion and features, MFNet-S.
_base_ = '../_base_/r34_224_hmdb51.py'

model = dict(backbone=dict(after='block3', flow=dict(type='MFNet', fusion='add')))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
