# Half of UT-Interaction's epochs: without eli, seed 7, RGB is at 100 % after 15.
_base_ = ['r18_real.py', 'datasets/weizmann.py']
from repflow_mm.config import set_variables

set_variables(_base_, max_epochs=15)

model = dict(cls_head=dict(num_classes=10))
