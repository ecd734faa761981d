# Shared by the configs of Table 8 on HMDB51.
_base_ = [
    'models/r34.py',
    'datasets/hmdb51_16.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51))
