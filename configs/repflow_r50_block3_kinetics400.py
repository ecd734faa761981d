_base_ = [
    '_base_/models/repflow_r50.py',
    '_base_/datasets/kinetics400.py',
    '_base_/schedules/sgd_cosine.py',
    '_base_/default_runtime.py',
]

# 8 GPUs x 8 clips.
auto_scale_lr = dict(enable=False, base_batch_size=64)
