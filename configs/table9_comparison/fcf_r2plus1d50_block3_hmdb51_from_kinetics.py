# Table 9, "Ours ((2+1)D CNN + FcF)", HMDB(+Kin).
_base_ = 'fcf_r2plus1d50_block3_hmdb51.py'

load_from = 'work_dirs/fcf_r2plus1d50_block3_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
