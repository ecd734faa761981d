# Table 7, "Input (RGB)".
_base_ = '../_base_/r2plus1d18_tinykinetics.py'

model = dict(backbone=dict(after='input', flow=dict(n_iters=10)))
