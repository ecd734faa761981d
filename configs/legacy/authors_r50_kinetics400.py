# The authors' published network, for evaluation: convert their checkpoint with
# tools/convert_authors_checkpoint.py. Its input is 1 - 2 * rgb / 255.
_base_ = ['../_base_/datasets/kinetics400.py', '../_base_/default_runtime.py']

model = dict(
    type='Recognizer3D',
    backbone=dict(type='LegacyRepFlowResNet50'),
    cls_head=dict(
        type='I3DHead',
        num_classes=400,
        in_channels=2048,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[-127.5, -127.5, -127.5],
        format_shape='NCTHW',
    ),
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# Not for training.
train_dataloader = None
