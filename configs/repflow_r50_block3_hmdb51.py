# From ImageNet weights; `load_from` a Kinetics-400 checkpoint for the paper's
# HMDB(+Kin). HMDB51_SPLIT=2 or 3 takes another split.
_base_ = [
    '_base_/models/repflow_r50.py',
    '_base_/datasets/hmdb51.py',
    '_base_/schedules/sgd_cosine.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51, dropout_ratio=0.8))
custom_hooks = [dict(type='EMAHook', momentum=1e-3, update_buffers=True)]
auto_scale_lr = dict(enable=False, base_batch_size=64)
work_dir = f'./work_dirs/repflow_r50_block3_hmdb51_split{_base_.split}'
