# flow_r18_motion.py for a 3D network: one flow, two channels, per pair of frames.
_base_ = '../rgb_r18_motion.py'
from repflow_mm.config import set_flow

set_flow(_base_, bound=8, cache='data/motion/flow')
model = dict(
    backbone=dict(
        type='RepFlowResNet3d',
        conv1_kernel=(5, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        with_pool2=False,
    )
)
