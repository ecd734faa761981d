# Table 9, "Ours ((2+1)D CNN + Rep. Flow)".
_base_ = [
    '../_base_/models/repflow_r2plus1d50.py',
    '../_base_/datasets/hmdb51.py',
    '../_base_/schedules/sgd_cosine_hmdb51.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51, dropout_ratio=0.8))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
