# Table 6, "RGB-Only OFF".
_base_ = '../_base_/r3d18_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(type='OFF', spatial='diagonal')))
