# Table 1, "After Block 4".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='block4', flow=dict(n_iters=100, learn=())))
