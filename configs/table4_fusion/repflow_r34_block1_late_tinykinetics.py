# Table 4, "Late", 1 Block.
_base_ = 'repflow_r34_block1_none_tinykinetics.py'

flow = _base_.model
rgb = dict(flow, backbone=dict(flow.backbone, flow=None))
model = dict(
    _delete_=True,
    type='LateFusion',
    streams=[rgb, flow],
    data_preprocessor=flow.data_preprocessor,
)
