# Shared by the configs of Table 9 on Kinetics-400.
_base_ = [
    'models/r50.py',
    'datasets/kinetics400.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
