# The demo: small enough to learn motion on a laptop in minutes.
_base_ = [
    '_base_/models/repflow_r50.py',
    '_base_/datasets/motion.py',
    '_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        depth=18,
        pretrained=None,
        flow=dict(flow_channels=32, n_iters=8),
        after='block2',
    ),
    cls_head=dict(num_classes=10, in_channels=512, dropout_ratio=0),
)

train_cfg = dict(type='ResumableTrainLoop', max_epochs=5, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=5,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys={'.solver.': dict(lr_mult=0.01, decay_mult=0)}),
    clip_grad=dict(max_norm=40, norm_type=2),
)
custom_hooks = [dict(type='EMAHook', momentum=0.05, update_buffers=True)]
auto_scale_lr = dict(enable=False, base_batch_size=16)
default_hooks = dict(
    logger=dict(interval=5), flow_log=dict(interval=5, picture_interval=37)
)
randomness = dict(seed=0)
