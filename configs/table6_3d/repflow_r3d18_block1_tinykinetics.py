# Table 6, "After Block 1".
_base_ = 'repflow_r3d18_block3_tinykinetics.py'

model = dict(backbone=dict(after='block1'))
