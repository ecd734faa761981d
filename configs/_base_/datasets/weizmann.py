# Weizmann, 8 frames of 112x112. A split leaves one person out of training, for
# validation: --cfg-options split=eli, or WEIZMANN_SPLIT=eli in the environment.
# python tools/prepare_data.py weizmann
decoder = 'auto'  # or 'pyav', 'decord', 'opencv', 'torchcodec'
class_names = 'weizmann'

clip_len = 8
frame_interval = 2
num_clips = 3  # per video in testing
crop_size = 112
split = '{{$WEIZMANN_SPLIT:daria}}'
splits = 'daria denis eli ido ira lena lyova moshe shahar'.split()
data_variables = dict(
    decoder=decoder,
    clip_len=clip_len,
    frame_interval=frame_interval,
    num_clips=num_clips,
    crop_size=crop_size,
    split=split,
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
    # The aspect ratio could reveal the class: every clip is resized to a square.
    dict(type='Resize', scale=(crop_size, crop_size), keep_ratio=False),
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
        num_clips=num_clips,
        out_of_bound_opt='repeat_last',
        test_mode=True,
    ),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(crop_size, crop_size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file=f'data/weizmann/weizmann_train_split_{split}_videos.txt',
        data_prefix=dict(video='data/weizmann/videos'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CheckedVideoDataset',
        ann_file=f'data/weizmann/weizmann_val_split_{split}_videos.txt',
        data_prefix=dict(video='data/weizmann/videos'),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
