_base_ = ['r18_real.py', 'datasets/ut_interaction.py']
model = dict(cls_head=dict(num_classes=6))
