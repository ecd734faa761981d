# A 3D ResNet-18 inflated from ImageNet (Table 6). Temporal strides follow block 2, as
# in R(2+1)D: an I3D stem would leave the flow layer two frames of sixteen.
_base_ = 'r34.py'

model = dict(
    backbone=dict(
        type='RepFlowResNet3d',
        depth=18,
        pretrained='torchvision://resnet18',
        conv1_kernel=(5, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        with_pool2=False,
        temporal_strides=(1, 2, 2, 2),
    ),
)
