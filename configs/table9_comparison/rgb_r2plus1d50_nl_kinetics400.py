# Table 9, the twin of "Ours ((2+1)D CNN + FcF) + Non-local".
_base_ = 'fcf_r2plus1d50_nl_block3_kinetics400.py'

model = dict(backbone=dict(flow=None))
