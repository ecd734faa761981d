_base_ = '../_base_/r18_weizmann.py'

model = dict(backbone=dict(flow=None))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$WEIZMANN_SPLIT:daria}}'
