_base_ = [
    '_base_/models/repflow_r50.py',
    '_base_/datasets/kinetics400.py',
    '_base_/schedules/sgd_cosine.py',
    '_base_/default_runtime.py',
]
