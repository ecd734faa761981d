# Table 7, RGB (2+1)D ResNet-18.
_base_ = 'repflow_r2plus1d18_block3_tinykinetics.py'

model = dict(backbone=dict(flow=None))
