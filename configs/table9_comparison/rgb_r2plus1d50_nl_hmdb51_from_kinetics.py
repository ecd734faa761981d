# Table 9, the RGB baseline of "Ours ((2+1)D CNN + FcF) + Non-local", HMDB(+Kin).
_base_ = 'rgb_r2plus1d50_nl_hmdb51.py'

load_from = 'work_dirs/rgb_r2plus1d50_nl_kinetics400/epoch_100.pth'
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
