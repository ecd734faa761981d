# The paper's network: flow of 28x28 maps after block 3, 20 iterations.
_base_ = '_base_/r50_kinetics400.py'

model = dict(backbone=dict(after='block3', flow=dict(flow_channels=32, n_iters=20)))
