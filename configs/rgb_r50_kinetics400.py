# The twin of repflow_r50_block3_kinetics400.py without the flow layer.
_base_ = 'repflow_r50_block3_kinetics400.py'

model = dict(backbone=dict(flow=None))
