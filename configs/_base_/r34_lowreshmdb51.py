# Shared by Tables 1 and 2: ResNet-34 on LowRes-HMDB51.
_base_ = [
    'models/r34.py',
    'datasets/lowres_hmdb51.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51))
