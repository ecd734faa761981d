# Table 2, "Divergence + tau, lambda, theta".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(
    backbone=dict(
        after='block3', flow=dict(n_iters=100, learn=('div', 'tau', 'lam', 'theta'))
    )
)
