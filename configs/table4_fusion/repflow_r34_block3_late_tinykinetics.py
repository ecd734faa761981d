# Table 4, "Late", 3 Blocks.
_base_ = 'repflow_r34_block3_none_tinykinetics.py'

flow = _base_.model
rgb = dict(flow, backbone=dict(flow.backbone, flow=None))
model = dict(
    _delete_=True,
    type='LateFusion',
    streams=[rgb, flow],
    data_preprocessor=flow.data_preprocessor,
)
