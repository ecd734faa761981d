# What Table 6 shares.
_base_ = [
    'models/r3d18.py',
    'datasets/tiny_kinetics.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
