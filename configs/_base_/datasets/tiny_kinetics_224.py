# Tiny-Kinetics, 16 frames of 224x224 (Table 8).
_base_ = 'kinetics400.py'

class_names = 'tiny_kinetics'

ann_file = 'data/tiny_kinetics/tiny_kinetics_{}_list_videos.txt'
for pipeline in (_base_.train_pipeline, _base_.val_pipeline, _base_.test_pipeline):
    pipeline[1].clip_len = 16
train = dict(ann_file=ann_file.format('train'), pipeline=_base_.train_pipeline)
val = dict(ann_file=ann_file.format('val'), pipeline=_base_.val_pipeline)
test = dict(ann_file=ann_file.format('val'), pipeline=_base_.test_pipeline)
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=val)
test_dataloader = dict(dataset=test)
