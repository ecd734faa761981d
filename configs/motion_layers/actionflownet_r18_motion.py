# The demo's network without a layer; it learns to predict flow in training.
_base_ = '../_base_/r18_motion.py'

model = dict(
    backbone=dict(flow=None, out_indices=(1, 3)),
    neck=dict(type='ActionFlowNet', in_channels=(128, 512)),
    data_preprocessor=dict(type='FlowTarget', stride=2),
)
