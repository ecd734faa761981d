# Table 7, "After Block 1".
_base_ = 'repflow_r2plus1d18_block3_tinykinetics.py'

model = dict(backbone=dict(after='block1'))
