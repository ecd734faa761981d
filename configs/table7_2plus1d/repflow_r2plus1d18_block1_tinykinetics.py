# Table 7, "After Block 1".
_base_ = '../_base_/r2plus1d18_tinykinetics.py'

model = dict(backbone=dict(after='block1', flow=dict(n_iters=10)))
