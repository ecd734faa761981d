# Table 3, "5 iterations", learned.
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(n_iters=5)))
