# Table 9, "Ours ((2+1)D CNN + Rep. Flow)".
_base_ = [
    '../_base_/models/repflow_r2plus1d50.py',
    '../_base_/datasets/kinetics400.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
