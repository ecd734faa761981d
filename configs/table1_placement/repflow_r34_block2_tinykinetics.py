# Table 1, "After Block 2".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='block2', flow=dict(n_iters=100, learn=())))
