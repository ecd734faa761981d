# Table 8, the RGB baseline of "Ours" on Tiny-Kinetics.
_base_ = '../_base_/r34_224_tinykinetics.py'

model = dict(backbone=dict(flow=None))
