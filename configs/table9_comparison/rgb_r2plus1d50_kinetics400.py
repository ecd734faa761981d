# Table 9, RGB R(2+1)D.
_base_ = '../_base_/r2plus1d50_kinetics400.py'

model = dict(backbone=dict(flow=None))
