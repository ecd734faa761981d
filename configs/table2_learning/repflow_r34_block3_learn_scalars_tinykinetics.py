# Table 2, "tau, lambda, theta".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(
    backbone=dict(after='block3', flow=dict(n_iters=100, learn=('tau', 'lam', 'theta')))
)
