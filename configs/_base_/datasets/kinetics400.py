# Kinetics-400 videos and lists in MMAction2's layout.
decoder = 'auto'  # or 'pyav', 'decord', 'opencv', 'torchcodec'
class_names = 'kinetics400'

clip_len = 32
frame_interval = 2
num_clips = 10  # per video in testing, times 3 crops
short_side = 256
crop_size = 224
data_variables = dict(
    decoder=decoder,
    clip_len=clip_len,
    frame_interval=frame_interval,
    num_clips=num_clips,
    short_side=short_side,
    crop_size=crop_size,
)

train_pipeline = [
    dict(type='VideoInit', decoder=decoder),
    dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=frame_interval,
        num_clips=1,
        out_of_bound_opt='repeat_last',  # 'loop' would show a jump to the flow layer
    ),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, short_side)),
    dict(
        type='MultiScaleCrop',
        input_size=crop_size,
        scales=(1, 0.8),
        random_crop=False,
        max_wh_scale_gap=0,
    ),
    dict(type='Resize', scale=(crop_size, crop_size), keep_ratio=False),
    # Where labels are directions, mirroring changes them: give Flip a
    # flip_label_map (see motion.py), or set flip_ratio=0.
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='VideoInit', decoder=decoder),
    dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=frame_interval,
        num_clips=1,
        out_of_bound_opt='repeat_last',
        test_mode=True,
    ),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, short_side)),
    dict(type='CenterCrop', crop_size=crop_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='VideoInit', decoder=decoder),
    dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=frame_interval,
        num_clips=num_clips,
        out_of_bound_opt='repeat_last',
        test_mode=True,
    ),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, short_side)),
    dict(type='ThreeCrop', crop_size=short_side),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/kinetics400/kinetics400_train_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
