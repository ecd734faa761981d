# Your own classes on one GPU, from MMAction2's R(2+1)D-34 (75.5 top-1 on Kinetics-400);
# docs/finetune.md explains each step. The flow layer starts as the identity.
# Lists of `path label` lines: data/own/train.txt and val.txt; videos: data/own/videos.
# `python tools/prepare_data.py folder` makes them from data/own/videos/CLASS/VIDEO.
_base_ = [
    '_base_/models/r2plus1d18.py',
    '_base_/datasets/kinetics400.py',
    '_base_/schedules/sgd_cosine.py',
    '_base_/default_runtime.py',
]

num_classes = 5  # labels 0 to 4
class_names = 'data/own/classes.txt'

model = dict(
    backbone=dict(
        depth=34,
        frozen_stages=2,  # stem, layer1 and layer2, up to the flow layer; -1: none
        norm_cfg=dict(type='BN3d', eps=1e-3),  # as in the zoo model
        flow=dict(n_iters=20, fusion='add', temporal='same'),
    ),
    cls_head=dict(num_classes=num_classes),
)
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/r2plus1d/r2plus1d_r34_8xb8-32x2x1-180e_kinetics400-rgb/r2plus1d_r34_8xb8-32x2x1-180e_kinetics400-rgb_20220812-4270588c.pth'  # noqa: E501

videos = dict(video='data/own/videos')
train = dict(ann_file='data/own/train.txt', data_prefix=videos)
val = dict(ann_file='data/own/val.txt', data_prefix=videos)
train_dataloader = dict(dataset=train)
val_dataloader = dict(dataset=val)
test_dataloader = dict(dataset=val)

max_epochs = 20
schedule_variables = dict(max_epochs=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=8)
