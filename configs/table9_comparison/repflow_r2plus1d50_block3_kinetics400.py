# Table 9, "Ours ((2+1)D CNN + Rep. Flow)".
_base_ = '../_base_/r2plus1d50_kinetics400.py'

model = dict(backbone=dict(after='block3', flow=dict(n_iters=20)))
