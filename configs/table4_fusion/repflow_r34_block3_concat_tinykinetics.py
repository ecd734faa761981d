# Table 4, "Concat", 3 Blocks.
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(after='block3', flow=dict(n_iters=10, fusion='concat')))
