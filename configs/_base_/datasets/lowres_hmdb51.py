# LowRes-HMDB51: HMDB51 in 16 frames of 112x112.
_base_ = 'hmdb51_16.py'
from repflow_mm.config import set_variables

set_variables(_base_, short_side=128, crop_size=112)
train_dataloader = dict(batch_size=32)
val_dataloader = dict(batch_size=32)
