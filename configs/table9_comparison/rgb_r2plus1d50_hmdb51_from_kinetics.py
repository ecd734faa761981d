# Table 9, RGB R(2+1)D, HMDB(+Kin).
_base_ = 'rgb_r2plus1d50_hmdb51.py'

load_from = 'work_dirs/rgb_r2plus1d50_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
