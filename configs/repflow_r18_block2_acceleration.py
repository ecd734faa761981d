# Classes that differ in acceleration alone: one flow layer sees two frames.
# python tools/make_motion_set.py data/acceleration --kind acceleration \
#     --train-clips 120 --val-clips 60
_base_ = 'repflow_r18_block2_motion.py'

class_names = ['constant', 'speeding_up', 'slowing_down', 'to_and_fro']
ann_file = 'data/acceleration/motion_{}_list_videos.txt'
train = dict(
    ann_file=ann_file.format('train'),
    data_prefix=dict(video='data/acceleration/videos_train'),
    pipeline=[
        dict(type='VideoInit', decoder=_base_.decoder),
        dict(type='SampleFrames', clip_len=10, frame_interval=1, num_clips=1),
        dict(type='VideoDecode'),
        dict(type='RandomCrop', size=56),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ],
)
test_pipeline = [
    dict(type='VideoInit', decoder=_base_.decoder),
    dict(
        type='SampleFrames', clip_len=10, frame_interval=1, num_clips=1, test_mode=True
    ),
    dict(type='VideoDecode'),
    dict(type='CenterCrop', crop_size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test = dict(
    ann_file=ann_file.format('val'),
    data_prefix=dict(video='data/acceleration/videos_val'),
    pipeline=test_pipeline,
)
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=test)
test_dataloader = dict(dataset=test)

model = dict(cls_head=dict(num_classes=4))

train_cfg = dict(max_epochs=6)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=6, by_epoch=True, convert_to_iter_based=True)
]
