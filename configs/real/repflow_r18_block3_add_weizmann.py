_base_ = '../_base_/r18_weizmann.py'

model = dict(backbone=dict(flow=dict(n_iters=20, fusion='add', temporal='same')))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$WEIZMANN_SPLIT:daria}}'
