# The time per video of both is in docs/two_stream.md.
_base_ = '../_base_/study.py'

title = 'The flow layer is as good as two streams'
table = 'Table 9'
why = (
    'Two streams, RGB and a second network on TV-L1 flow (five flows in a stack) whose '
    'scores are averaged, against one network with a flow layer after block 3. The '
    'class is a direction of motion and a pair of colours. The figures of the '
    'paper are those of a 2D ResNet-50 on Kinetics-400; there, the output of the layer '
    'replaces the features and is not added to them.'
)
sets = dict(product=dict(kind='product'))
_layer = {'config': 'repflow_r18_block2_motion', 'model.backbone.after': 'block3'}
arms = {
    'RGB': dict(config='rgb_r18_motion'),
    'optical flow': dict(config='two_stream/flow_r18_motion'),
    'two streams': dict(fuse=('RGB', 'optical flow')),
    'flow layer': {
        **_layer,
        'model.backbone.flow': dict(fusion='none', temporal='valid'),
    },
    'flow layer, added': {
        **_layer,
        'model.backbone.flow': dict(fusion='add', temporal='valid'),
    },
}
baseline = 'two streams'
paper = {'RGB': 61.3, 'optical flow': 48.2, 'two streams': 64.5, 'flow layer': 68.5}
contrasts = {
    'Two streams are better than RGB': 'two streams - RGB',
    'The layer is better than RGB': 'flow layer - RGB',
    'The layer is at most 2 points worse than two streams': (
        'flow layer - two streams > -2'
    ),
    'The layer, added to the features, is at most 2 points worse than two streams': (
        'flow layer, added - two streams > -2'
    ),
}
