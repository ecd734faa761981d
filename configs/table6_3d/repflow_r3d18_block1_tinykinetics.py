# Table 6, "After Block 1".
_base_ = '../_base_/r3d18_tinykinetics.py'

model = dict(backbone=dict(after='block1', flow=dict(n_iters=10)))
