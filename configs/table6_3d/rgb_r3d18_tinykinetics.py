# Table 6, RGB 3D ResNet-18.
_base_ = '../_base_/r3d18_tinykinetics.py'

model = dict(backbone=dict(flow=None))
