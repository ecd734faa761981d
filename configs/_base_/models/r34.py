# ResNet-34, frame by frame, from scratch: the network of Tables 1 to 5.
_base_ = 'r50.py'

model = dict(
    backbone=dict(depth=34, pretrained=None),
    cls_head=dict(num_classes=150, in_channels=512),
)
