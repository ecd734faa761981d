# Table 7, "After Block 3".
_base_ = '../_base_/r2plus1d18_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(n_iters=10)))
