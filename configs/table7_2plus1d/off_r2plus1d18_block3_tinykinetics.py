# Table 7, "RGB-Only OFF".
_base_ = '../_base_/r2plus1d18_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(type='OFF', spatial='diagonal')))
