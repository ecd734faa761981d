# Table 8, "MFNet" on Tiny-Kinetics: the sum of motion and features, MFNet-S.
_base_ = '../_base_/r34_224_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(type='MFNet', fusion='add')))
