# Table 9, "Ours (2D CNN + FcF)", HMDB(+Kin).
_base_ = 'fcf_r50_block3_hmdb51.py'

model = dict(backbone=dict(pretrained=None))
load_from = 'work_dirs/fcf_r50_block3_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
