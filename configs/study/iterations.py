_base_ = '../_base_/study.py'

title = 'With learned parameters, fewer iterations are enough'
table = 'Table 3'
why = (
    'On stripes, only a few dots show which way they move: the solver has to carry '
    'their flow along the stripes, further with each iteration. As in the paper, '
    '"learned" are the divergence, tau, lambda and theta, at a hundredth of the '
    'learning rate.'
)
sets = dict(aperture=dict(kind='aperture'))
config = 'repflow_r18_block2_motion'
arms = {
    f'{n} {name}': {
        'config': config,
        'model.backbone.flow': dict(n_iters=n, learn=learn),
    }
    for name, learn in (
        ('fixed', ()),
        ('learned', ('div', 'tau', 'lam', 'theta')),
    )
    for n in (1, 5, 10, 20)
}
baseline = '1 fixed'
# Tiny-Kinetics, top-1 in %.
paper = {
    '1 fixed': 46.7,
    '5 fixed': 51.3,
    '10 fixed': 52.4,
    '20 fixed': 53.6,
    '1 learned': 49.5,
    '5 learned': 55.4,
    '10 learned': 59.4,
    '20 learned': 60.7,
}
contrasts = {
    'Without learning, 20 iterations are better than 1': '20 fixed - 1 fixed',
    'With learning, 20 iterations are better than 1': '20 learned - 1 learned',
    'At 10 iterations, learning is better': '10 learned - 10 fixed',
    'At 1 iteration, learning is better': '1 learned - 1 fixed',
    'From 10 to 20 iterations, what is fixed gains more': (
        '20 fixed - 10 fixed - 20 learned + 10 learned'
    ),
}
scales = dict(quick=dict(seeds=5))
