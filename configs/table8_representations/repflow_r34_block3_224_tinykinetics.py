# Table 8, "Ours" on Tiny-Kinetics.
_base_ = [
    '../_base_/models/repflow_r34.py',
    '../_base_/datasets/tiny_kinetics_224.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
