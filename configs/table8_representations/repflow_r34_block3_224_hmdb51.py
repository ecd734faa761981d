# Table 8, "Ours" on HMDB51.
_base_ = [
    '../_base_/models/repflow_r34.py',
    '../_base_/datasets/hmdb51_16.py',
    '../_base_/schedules/sgd_cosine_hmdb51.py',
    '../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
