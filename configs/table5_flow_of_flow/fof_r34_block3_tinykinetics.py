# Table 5, "Flow-of-Flow".
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(
    backbone=dict(
        after='block3', flow=dict(type='FcF', num_flows=2, conv=False, n_iters=10)
    )
)
