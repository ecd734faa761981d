# Table 1, "Flow Layer on RGB Input".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='input', flow=dict(n_iters=100, learn=())))
