# Flow-conv-flow: flow of flow sees three frames, and so how motion changes.
_base_ = 'repflow_r18_block2_acceleration.py'

model = dict(backbone=dict(flow=dict(type='FcF', num_flows=2)))
