# Table 8, the twin of "Ours" on Tiny-Kinetics.
_base_ = 'repflow_r34_block3_224_tinykinetics.py'

model = dict(backbone=dict(flow=None))
