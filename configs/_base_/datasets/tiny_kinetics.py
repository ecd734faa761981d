# Tiny-Kinetics, 16 frames of 112x112.
_base_ = 'tiny_kinetics_224.py'
from repflow_mm.config import set_variables

set_variables(_base_, short_side=128, crop_size=112)
train_dataloader = dict(batch_size=32)
val_dataloader = dict(batch_size=32)
