# The network whose weights come with the package, for a first look without training:
# the stem and first stage of a ResNet-18. It takes videos of any size.
_base_ = '_base_/r18_motion.py'
from repflow_mm.config import set_variables

set_variables(_base_, max_epochs=12)

model = dict(
    backbone=dict(
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        after='block1',
        flow=dict(flow_channels=32, n_iters=8),
    ),
    cls_head=dict(in_channels=64),
)
train_cfg = dict(val_interval=4)
shrink = dict(type='Resize', scale=(-1, 64))  # the shorter side, as in the motion set
test_pipeline = [*_base_.test_pipeline[:3], shrink, *_base_.test_pipeline[3:]]
val_pipeline = test_pipeline
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
