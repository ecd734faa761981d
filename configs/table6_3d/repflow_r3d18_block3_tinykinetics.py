# Table 6, "After Block 3".
_base_ = [
    '../_base_/models/repflow_r3d18.py',
    '../_base_/datasets/tiny_kinetics.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
