# Table 8, the RGB baseline of "Ours" on HMDB51.
_base_ = '../_base_/r34_224_hmdb51.py'

model = dict(backbone=dict(flow=None))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
