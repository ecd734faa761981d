# The paper's 2D network: a per-frame ResNet-50, the flow of its 28x28 maps
# behind block 3, predictions averaged over frames. `backbone.flow=None` is the
# RGB twin.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='RepFlowResNet',
        depth=50,
        pretrained='torchvision://resnet50',
        flow=dict(flow_channels=32, n_iters=20),
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
