# Shared by Tables 1 to 5: ResNet-34 on Tiny-Kinetics.
_base_ = [
    'models/r34.py',
    'datasets/tiny_kinetics.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
