# Tiny-Kinetics, 16 frames of 224x224: the 150 classes of the paper out of Kinetics-400.
# python tools/prepare_data.py tiny-kinetics
_base_ = 'kinetics400.py'
from repflow_mm.config import set_variables

set_variables(_base_, clip_len=16)
class_names = 'tiny_kinetics'

ann_file = 'data/tiny_kinetics/tiny_kinetics_{}_list_videos.txt'
train_dataloader = dict(dataset=dict(ann_file=ann_file.format('train')))
val_dataloader = dict(dataset=dict(ann_file=ann_file.format('val')))
test_dataloader = dict(dataset=dict(ann_file=ann_file.format('val')))
