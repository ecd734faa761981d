_base_ = '../_base_/study.py'

title = 'Learning the parameters of the solver recovers from bad ones'
table = 'Table 2'
why = (
    'The paper finds up to 1.3 points between learning nothing and the best choice, '
    'too little to tell with a few seeds. Instead, lambda starts ten times too large '
    'or too small, and learning has to make up for it.'
)
sets = dict(aperture=dict(kind='aperture'))
_lam = 0.15
_learned = ('div', 'tau', 'lam', 'theta')
arms = {
    f'lambda x {factor:g}, {name}': {
        'config': 'repflow_r18_block2_motion',
        'model.backbone.flow': dict(lam=factor * _lam, learn=learn),
    }
    for factor in (1, 10, 0.1)
    for name, learn in (('fixed', ()), ('learned', _learned))
}
baseline = 'lambda x 1, fixed'
contrasts = {
    f'From lambda x {factor}, learning is better': (
        f'lambda x {factor}, learned - lambda x {factor}, fixed'
    )
    for factor in ('1', '10', '0.1')
}
scales = dict(quick=dict(seeds=5))
