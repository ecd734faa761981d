_base_ = '../_base_/study.py'

title = 'A 3D network gains by the flow layer'
table = 'Table 6'
why = (
    'The temporal convolutions of this network already see motion. The paper finds '
    'that the flow layer improves it and OFF does not. The class is a direction of '
    'motion and a pair of colours. As in the paper, the output of the layers replaces '
    'the features, except in arms named "added". Optical flow is TV-L1, one flow per '
    'pair of frames.'
)
options = {
    'model.backbone.type': 'RepFlowResNet3d',
    'model.backbone.conv1_kernel': (5, 7, 7),
    'model.backbone.conv1_stride_t': 1,
    'model.backbone.pool1_stride_t': 1,
    'model.backbone.with_pool2': False,
}
sets = dict(product=dict(kind='product'))
_flow = {
    'config': 'repflow_r18_block2_motion',
    'model.backbone.flow': dict(n_iters=10, temporal='valid'),
}
_other = {'model.backbone.after': 'block3'}
arms = {
    'RGB': dict(config='rgb_r18_motion'),
    'optical flow': dict(config='two_stream/flow_3d_r18_motion'),
    'two streams': dict(fuse=('RGB', 'optical flow')),
    'difference': {
        'config': 'motion_layers/temporal_difference_r18_block2_motion',
        **_other,
    },
    'OFF': {'config': 'motion_layers/off_r18_block2_motion', **_other},
    'flow, input': {**_flow, 'model.backbone.after': 'input'},
    'flow, block 1': {**_flow, 'model.backbone.after': 'block1'},
    'flow, block 3': {**_flow, 'model.backbone.after': 'block3'},
    'flow, block 3, added': {
        **_flow,
        'model.backbone.after': 'block3',
        'model.backbone.flow': dict(n_iters=10, temporal='valid', fusion='add'),
    },
}
baseline = 'RGB'
# Tiny-Kinetics, top-1 in %.
paper = {
    'RGB': 54.6,
    'optical flow': 37.6,
    'two streams': 57.5,
    'OFF': 54.8,
    'flow, input': 38.5,
    'flow, block 1': 58.4,
    'flow, block 3': 59.7,
}
contrasts = {
    'Flow behind block 3 is better than RGB': 'flow, block 3 - RGB',
    'Flow added behind block 3 is better than RGB': 'flow, block 3, added - RGB',
    'OFF is better than RGB': 'OFF - RGB',
    'Flow behind block 3 is better than two streams': 'flow, block 3 - two streams',
    'Flow is better behind block 3 than at the input': 'flow, block 3 - flow, input',
}
scales = dict(
    # Inflated, unlike other claims at this scale.
    quick=dict(
        options={
            'model.backbone.inflate': (1, 1, 1, 1),
            'model.backbone.conv1_kernel': (5, 7, 7),
        },
    ),
)
