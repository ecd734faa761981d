# Shared by the configs of Table 8 on Tiny-Kinetics.
_base_ = [
    'models/r34.py',
    'datasets/tiny_kinetics_224.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
