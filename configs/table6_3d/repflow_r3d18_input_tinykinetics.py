# Table 6, "Input (RGB)".
_base_ = 'repflow_r3d18_block3_tinykinetics.py'

model = dict(backbone=dict(after='input'))
