# R(2+1)D with the bottlenecks of ResNet-50, from scratch (Table 9).
_base_ = 'r2plus1d18.py'

model = dict(
    backbone=dict(depth=50, inflate_style='3x3x3'),
    cls_head=dict(num_classes=400, in_channels=2048),
)
