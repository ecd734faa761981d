# Table 5, "Flow-Conv-Flow (FcF)".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(
    backbone=dict(after='block3', flow=dict(type='FcF', num_flows=2, n_iters=10))
)
