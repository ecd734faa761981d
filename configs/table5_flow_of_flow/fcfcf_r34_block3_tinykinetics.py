# Table 5, "Flow-Conv-Flow-Conv-Flow".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(
    backbone=dict(after='block3', flow=dict(type='FcF', num_flows=3, n_iters=10))
)
