# The arms of three_d.py, on a (2+1)D network.
_base_ = 'three_d.py'

title = 'A (2+1)D network gains by the flow layer'
table = 'Table 7'
options = {
    'model.backbone.type': 'RepFlowResNet2Plus1d',
    'model.backbone.conv1_kernel': (3, 7, 7),
    'model.backbone.conv_cfg': dict(type='Conv2plus1d'),
    'model.backbone.pretrained2d': False,
}
paper = {
    'RGB': 53.4,
    'optical flow': 36.3,
    'two streams': 55.6,
    'OFF': 53.7,
    'flow, input': 39.2,
    'flow, block 1': 57.3,
    'flow, block 3': 60.7,
}
scales = dict(
    quick=dict(
        options={
            'model.backbone.type': 'RepFlowResNet2Plus1d',
            'model.backbone.conv1_kernel': (3, 7, 7),
        }
    )
)
