# The paper's 2D network: ResNet-50 frame by frame, predictions averaged over frames.
# Inheriting configs set `flow=None`, or `flow=dict(n_iters=20)` for the layer after
# block 3, on 28x28 maps. (MMEngine cannot merge a dict into None.)
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='RepFlowResNet',
        depth=50,
        pretrained='torchvision://resnet50',
        after='block3',
        norm_eval=False,
    ),
    cls_head=dict(
        type='I3DHead',
        num_classes=400,
        in_channels=2048,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
)
