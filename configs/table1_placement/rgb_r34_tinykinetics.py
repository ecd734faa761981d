# Table 1, RGB CNN: the baseline of Tables 1 to 5.
_base_ = '../_base_/r34_tinykinetics.py'

model = dict(backbone=dict(flow=None))
