# SGD with momentum, warm-up and cosine decay. The solver's few parameters have 0.01x
# the learning rate and no weight decay (section 2 of docs/fidelity.md), and evaluation
# uses the running average of the weights, as in the paper.
max_epochs = 100
start_factor = 0.1  # of the rate, at the first iteration
ema_momentum = 1e-4
schedule_variables = dict(
    max_epochs=max_epochs, start_factor=start_factor, ema_momentum=ema_momentum
)

train_cfg = dict(
    type='ResumableTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=5
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=start_factor,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - 5,
        eta_min=0,
        by_epoch=True,
        begin=5,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
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

# The learning rate is for 8 GPUs x 8 clips.
auto_scale_lr = dict(enable=False, base_batch_size=64)
