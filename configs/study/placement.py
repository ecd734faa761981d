_base_ = '../_base_/study.py'

title = 'Flow of features is better than flow of pixels, and best behind block 3'
table = 'Table 1'
why = (
    'The maps get smaller with depth (at the quick scale they are 44, 11, 11, 6, 3 '
    'and 2 pixels wide), and so does the motion in them: fast motion is 4 to 8 pixels '
    'per frame in the input, and a quarter of a pixel or more after block 4. In two '
    'arms, blocks 3 and 4 have maps as large as those of block 2, to separate the '
    'effects of depth and resolution, which the paper does not do.'
)
sets = dict(speed=dict(kind='speed'))
_flow = {'config': 'repflow_r18_block2_motion'}
_places = {'input': 'input', **{f'block {n}': f'block{n}' for n in range(1, 6)}}
arms = {
    'no layer': dict(config='rgb_r18_motion'),
    **{name: {**_flow, 'model.backbone.after': p} for name, p in _places.items()},
    'block 3, larger map': {
        **_flow,
        'model.backbone.after': 'block3',
        'model.backbone.spatial_strides': (1, 1, 2, 2),
    },
    'block 4, larger map': {
        **_flow,
        'model.backbone.after': 'block4',
        'model.backbone.spatial_strides': (1, 1, 1, 2),
    },
}
baseline = 'input'
# Tiny-Kinetics, top-1 in %.
paper = {
    'no layer': 55.2,
    'input': 37.4,
    'block 1': 52.4,
    'block 2': 57.4,
    'block 3': 59.4,
    'block 4': 52.1,
    'block 5': 50.3,
}
contrasts = {
    'Behind block 1, flow is better than at the input': 'block 1 - input',
    'Behind block 3, flow is better than at the input': 'block 3 - input',
    'Behind block 3, flow is better than behind block 1': 'block 3 - block 1',
    'Behind block 3, flow is better than behind block 5': 'block 3 - block 5',
    'Behind block 3, a larger map is better': 'block 3, larger map - block 3',
    'Behind block 4, a larger map is better': 'block 4, larger map - block 4',
    'Fast motion loses less by depth than slow motion, from block 1 to block 4': (
        'block 4 @ speed/fast - block 1 @ speed/fast'
        ' - block 4 @ speed/slow + block 1 @ speed/slow'
    ),
}
