_base_ = '../_base_/study.py'

title = 'Flow of features is robust where brightness changes'
why = (
    'Flow assumes that a point keeps its brightness. Learned features need not change '
    'with the brightness of the frame; grey frames do. The paper does not test this.'
)
sets = dict(flicker=dict(kind='flicker'))
arms = {
    'pixels': dict(config='motion_layers/pixel_flow_r18_input_motion'),
    'block 1': {
        'config': 'repflow_r18_block2_motion',
        'model.backbone.after': 'block1',
    },
    'block 3': {
        'config': 'repflow_r18_block2_motion',
        'model.backbone.after': 'block3',
    },
}
baseline = 'pixels'
contrasts = {
    'In strong flicker, flow after block 1 is better than flow of pixels': (
        'block 1 @ flicker/strong - pixels @ flicker/strong'
    ),
    'In strong flicker, flow after block 3 is better than flow of pixels': (
        'block 3 @ flicker/strong - pixels @ flicker/strong'
    ),
    'Flow after block 1 loses less by strong flicker than flow of pixels': (
        'block 1 @ flicker/strong - block 1 @ flicker/steady'
        ' - pixels @ flicker/strong + pixels @ flicker/steady'
    ),
    'Flow after block 3 loses less by strong flicker than flow of pixels': (
        'block 3 @ flicker/strong - block 3 @ flicker/steady'
        ' - pixels @ flicker/strong + pixels @ flicker/steady'
    ),
}
scales = dict(quick=dict(seeds=5))
