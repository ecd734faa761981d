# Table 6, "Input (RGB)".
_base_ = '../_base_/r3d18_tinykinetics.py'

model = dict(backbone=dict(after='input', flow=dict(n_iters=10)))
