# Table 2, "None (all fixed)": the experiment of Table 1.
_base_ = '../table1_placement/repflow_r34_block3_lowreshmdb51.py'

work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
