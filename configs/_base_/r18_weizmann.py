_base_ = ['r18_real.py', 'datasets/weizmann.py']
model = dict(cls_head=dict(num_classes=10))
