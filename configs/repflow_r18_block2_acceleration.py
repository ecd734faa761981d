# Classes that differ only in acceleration; a single flow layer sees two frames.
# python tools/make_motion_set.py data/acceleration --kind acceleration \
#     --train-clips 120 --val-clips 60
_base_ = 'repflow_r18_block2_motion.py'
from repflow_mm.config import set_variables

set_variables(_base_, clip_len=10, max_epochs=6)
class_names = ['constant', 'speeding_up', 'slowing_down', 'to_and_fro']
model = dict(cls_head=dict(num_classes=4))

# Flipping would not change the class, and is not needed.
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'Flip']
train = dict(
    ann_file='data/acceleration/motion_train_list_videos.txt',
    data_prefix=dict(video='data/acceleration/videos_train'),
    pipeline=train_pipeline,
)
val = dict(
    ann_file='data/acceleration/motion_val_list_videos.txt',
    data_prefix=dict(video='data/acceleration/videos_val'),
)
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=val)
test_dataloader = dict(dataset=val)
