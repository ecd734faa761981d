# Table 4, "Multiply", RGB.
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='input', flow=dict(n_iters=10, fusion='multiply')))
