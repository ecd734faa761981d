# Table 8, "RGB-OFF" on Tiny-Kinetics.
_base_ = '../_base_/r34_224_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(type='OFF', spatial='diagonal')))
