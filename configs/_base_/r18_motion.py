# Shared by the demo's configs and motion_layers: minutes of training on a laptop.
_base_ = [
    'models/r50.py',
    'datasets/motion.py',
    'schedules/adamw_motion.py',
    'default_runtime.py',
]

model = dict(
    backbone=dict(depth=18, pretrained=None, after='block2'),
    cls_head=dict(num_classes=10, in_channels=512, dropout_ratio=0),
)
default_hooks = dict(
    logger=dict(interval=5), flow_log=dict(interval=5, picture_interval=37)
)
randomness = dict(seed=0)
