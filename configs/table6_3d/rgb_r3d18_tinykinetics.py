# Table 6, RGB 3D ResNet-18.
_base_ = 'repflow_r3d18_block3_tinykinetics.py'

model = dict(backbone=dict(flow=None))
