# Table 7, RGB (2+1)D ResNet-18.
_base_ = '../_base_/r2plus1d18_tinykinetics.py'

model = dict(backbone=dict(flow=None))
