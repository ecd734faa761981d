# Table 9, RGB, HMDB(+Kin).
_base_ = 'rgb_r50_hmdb51.py'

model = dict(backbone=dict(pretrained=None))
load_from = 'work_dirs/rgb_r50_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
