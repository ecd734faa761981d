# Table 8, the twin of "Ours" on HMDB51.
_base_ = 'repflow_r34_block3_224_hmdb51.py'

model = dict(backbone=dict(flow=None))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
