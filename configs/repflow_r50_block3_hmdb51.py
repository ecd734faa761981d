# From ImageNet weights; table9_comparison/ has HMDB(+Kin), from Kinetics-400 weights.
# HMDB51_SPLIT=2 or 3 takes another split.
_base_ = [
    '_base_/models/repflow_r50.py',
    '_base_/datasets/hmdb51.py',
    '_base_/schedules/sgd_cosine_hmdb51.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51, dropout_ratio=0.8))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
