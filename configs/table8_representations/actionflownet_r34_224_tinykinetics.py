# Table 8, "ActionFlowNet" on Tiny-Kinetics: flow as an auxiliary task of training.
_base_ = '../_base_/r34_224_tinykinetics.py'

model = dict(
    backbone=dict(flow=None, out_indices=(1, 3)),
    neck=dict(type='ActionFlowNet', in_channels=(128, 512), loss_weight=0.1),
    data_preprocessor=dict(type='FlowTarget'),
)
