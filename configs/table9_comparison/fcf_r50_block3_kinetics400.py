# Table 9, "Ours (2D CNN + FcF)".
_base_ = '../repflow_r50_block3_kinetics400.py'

model = dict(backbone=dict(flow=dict(type='FcF', num_flows=2)))
