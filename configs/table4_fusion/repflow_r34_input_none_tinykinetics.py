# Table 4, "None", RGB.
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='input', flow=dict(n_iters=10)))
