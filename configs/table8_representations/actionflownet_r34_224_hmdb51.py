# Table 8, "ActionFlowNet" on HMDB51: flow as an auxiliary task of training.
_base_ = '../_base_/r34_224_hmdb51.py'

model = dict(
    backbone=dict(flow=None, out_indices=(1, 3)),
    neck=dict(type='ActionFlowNet', in_channels=(128, 512), loss_weight=0.1),
    data_preprocessor=dict(type='FlowTarget'),
)
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
