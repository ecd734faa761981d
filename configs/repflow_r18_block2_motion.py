# The demo: motion learned on a laptop in minutes.
_base_ = '_base_/r18_motion.py'

model = dict(backbone=dict(after='block2', flow=dict(flow_channels=32, n_iters=8)))
