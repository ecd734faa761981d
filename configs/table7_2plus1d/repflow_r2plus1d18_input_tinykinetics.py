# Table 7, "Input (RGB)".
_base_ = 'repflow_r2plus1d18_block3_tinykinetics.py'

model = dict(backbone=dict(after='input'))
