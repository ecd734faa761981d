# ResNet-18 from ImageNet, fine-tuned on a small dataset of real actions. The stages in
# front of the flow layer are frozen: a hundred clips are too few to improve them.
_base_ = ['models/r50.py', 'schedules/adamw_motion.py', 'default_runtime.py']
from repflow_mm.config import set_variables

set_variables(_base_, max_epochs=30, ema_momentum=0.02)

model = dict(
    backbone=dict(depth=18, pretrained='torchvision://resnet18', frozen_stages=2),
    cls_head=dict(in_channels=512),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
train_cfg = dict(val_interval=5)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
