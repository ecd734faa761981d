# The RGB baseline of repflow_r18_block2_motion.py.
_base_ = '_base_/r18_motion.py'

model = dict(backbone=dict(flow=None))
