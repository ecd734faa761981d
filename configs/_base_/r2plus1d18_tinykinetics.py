# Shared by the configs of Table 7.
_base_ = [
    'models/r2plus1d18.py',
    'datasets/tiny_kinetics.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
