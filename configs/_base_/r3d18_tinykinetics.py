# Shared by the configs of Table 6.
_base_ = [
    'models/r3d18.py',
    'datasets/tiny_kinetics.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
