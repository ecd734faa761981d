# Table 7, "After Block 3".
_base_ = [
    '../_base_/models/repflow_r2plus1d18.py',
    '../_base_/datasets/tiny_kinetics.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
