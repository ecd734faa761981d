# Table 9, "Ours ((2+1)D CNN + FcF)".
_base_ = 'repflow_r2plus1d50_block3_kinetics400.py'

model = dict(backbone=dict(flow=dict(type='FcF', num_flows=2)))
