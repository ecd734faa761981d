# The twin of repflow_r18_block2_motion.py without the flow layer.
_base_ = 'repflow_r18_block2_motion.py'

model = dict(backbone=dict(flow=None))
