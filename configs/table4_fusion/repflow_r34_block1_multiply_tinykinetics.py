# Table 4, "Multiply", 1 Block.
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='block1', flow=dict(n_iters=10, fusion='multiply')))
