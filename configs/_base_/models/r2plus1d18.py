# R(2+1)D with 18 layers, from scratch (Table 7).
_base_ = 'r34.py'

model = dict(
    backbone=dict(
        type='RepFlowResNet2Plus1d',
        depth=18,
        pretrained2d=False,
        conv_cfg=dict(type='Conv2plus1d'),
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        with_pool2=False,
        temporal_strides=(1, 2, 2, 2),
    ),
)
