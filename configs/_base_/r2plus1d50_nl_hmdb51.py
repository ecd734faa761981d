# Shared by the configs of Table 9 on HMDB51.
_base_ = [
    'models/r2plus1d50_nl.py',
    'datasets/hmdb51.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51, dropout_ratio=0.8))
