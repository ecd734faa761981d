# The RGB baseline of repflow_r50_block3_kinetics400.py.
_base_ = '_base_/r50_kinetics400.py'

model = dict(backbone=dict(flow=None))
