# Table 9, RGB R(2+1)D.
_base_ = 'repflow_r2plus1d50_block3_kinetics400.py'

model = dict(backbone=dict(flow=None))
