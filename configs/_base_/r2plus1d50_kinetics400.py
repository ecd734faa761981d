# What Table 9 shares on Kinetics-400.
_base_ = [
    'models/r2plus1d50.py',
    'datasets/kinetics400.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
