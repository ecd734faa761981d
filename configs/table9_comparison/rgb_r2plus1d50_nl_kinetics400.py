# Table 9, the RGB baseline of "Ours ((2+1)D CNN + FcF) + Non-local".
_base_ = '../_base_/r2plus1d50_nl_kinetics400.py'

model = dict(backbone=dict(flow=None))
