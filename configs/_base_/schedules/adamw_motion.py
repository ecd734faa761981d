# Minutes on a laptop: a few epochs of AdamW with a cosine decay.
max_epochs = 5
ema_momentum = 0.05
schedule_variables = dict(max_epochs=max_epochs, ema_momentum=ema_momentum)

train_cfg = dict(
    type='ResumableTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=1
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys={'.solver.': dict(lr_mult=0.01, decay_mult=0)}),
    clip_grad=dict(max_norm=40, norm_type=2),
)
# The momentum is max(ema_momentum, 9 / (9 + step)), as in TensorFlow: the mean
# age of the averaged weights is never more than a tenth of the run so far.
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='MomentumAnnealingEMA',
        momentum=ema_momentum,
        gamma=9,
        update_buffers=True,
    )
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
