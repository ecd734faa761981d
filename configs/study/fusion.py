# Late fusion, two networks, is not among the arms.
_base_ = '../_base_/study.py'

title = 'After block 3, flow needs no fusion with appearance'
table = 'Table 4'
why = (
    'The class is a direction of motion and a pair of colours: a network that sees '
    'only one of them is right for a quarter of the clips. The paper finds that flow '
    'of RGB needs fusion, that flow of features does not, and that concatenation is '
    'worst.'
)
sets = dict(product=dict(kind='product'))
_places = dict(input='input', block1='block 1', block3='block 3')
_fusions = ('none', 'add', 'multiply', 'layer_multiply', 'concat')
arms = {
    f'{place}, {fusion}': {
        'config': 'repflow_r18_block2_motion',
        'model.backbone.after': after,
        'model.backbone.flow': dict(fusion=fusion, temporal='valid'),
    }
    for after, place in _places.items()
    for fusion in _fusions
}
baseline = 'block 3, none'
# Tiny-Kinetics, top-1 in %.
_figures = (37.4, 59.7, 58.3, 60.1, 42.4, 52.4, 57.2, 58.1, 61.7, 48.5) + (
    *(59.4, 56.5, 57.8, 61.7, 47.6),
)
paper = dict(zip(arms, _figures, strict=True))
contrasts = {
    'At the input, adding RGB is better than none': 'input, add - input, none',
    'After block 3, none is at most 2 points worse than adding': (
        'block 3, none - block 3, add > -2'
    ),
    'After block 3, none is better than concatenation': (
        'block 3, none - block 3, concat'
    ),
    'Without fusion, block 3 is better than the input': 'block 3, none - input, none',
}
