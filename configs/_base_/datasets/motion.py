# The synthetic motion set: python tools/make_motion_set.py data/motion
kind = 'motion'  # another one: docs/motion_kinds.md
decoder = 'auto'  # or 'pyav', 'decord', 'opencv', 'torchcodec'
clip_len = 8
crop_size = 56
data_variables = dict(
    decoder=decoder, kind=kind, clip_len=clip_len, crop_size=crop_size
)
class_names = [
    'still',
    'move_left',
    'move_right',
    'move_up',
    'move_down',
    'rotate_clockwise',
    'rotate_counterclockwise',
    'zoom_in',
    'zoom_out',
    'shear',
]

train_pipeline = [
    dict(type='VideoInit', decoder=decoder),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=1, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='RandomCrop', size=crop_size),
    # Flipping swaps left and right, and clockwise and counterclockwise.
    dict(type='Flip', flip_ratio=0.5, flip_label_map={1: 2, 2: 1, 5: 6, 6: 5}),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='VideoInit', decoder=decoder),
    dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=1,
        num_clips=1,
        test_mode=True,
    ),
    dict(type='VideoDecode'),
    dict(type='CenterCrop', crop_size=crop_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/motion/motion_train_list_videos.txt',
        data_prefix=dict(video='data/motion/videos_train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=20,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/motion/motion_val_list_videos.txt',
        data_prefix=dict(video='data/motion/videos_val'),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
