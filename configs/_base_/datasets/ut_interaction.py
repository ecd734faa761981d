# UT-Interaction, 8 frames of 112x112. Splits: one set for training and the other for
# validation, or set1_seq03, which leaves that sequence out of its set. Select one by
# --cfg-options split=set2_to_set1, or by UT_INTERACTION_SPLIT in the environment.
# python tools/prepare_data.py ut-interaction
_base_ = 'weizmann.py'
from repflow_mm.config import set_variables

set_variables(_base_, frame_interval=6)  # 43 of about 100 frames: most of an action
class_names = 'ut_interaction'
split = '{{$UT_INTERACTION_SPLIT:set1_to_set2}}'
splits = ['set1_to_set2', 'set2_to_set1']
data_variables = dict(split=split)

ann_file = f'data/ut_interaction/ut_interaction_{{}}_split_{split}_videos.txt'
data_prefix = dict(video='data/ut_interaction/videos')
val = dict(ann_file=ann_file.format('val'), data_prefix=data_prefix)
train_dataloader = dict(
    dataset=dict(ann_file=ann_file.format('train'), data_prefix=data_prefix)
)
val_dataloader = dict(dataset=val)
test_dataloader = dict(dataset=val)
