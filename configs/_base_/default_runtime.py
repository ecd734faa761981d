default_scope = 'mmaction'
runner_type = (
    'VariablesRunner'  # applies config variables: repflow_mm/config/variables.py
)
custom_imports = dict(imports=['repflow_mm.plugin'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='SafeCheckpointHook',
        interval=1,
        within_epoch=500,  # iterations
        save_best='auto',
        max_keep_ckpts=3,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='IterSyncBuffersHook'),
    check_labels=dict(type='CheckLabelsHook'),
    check_sampling=dict(type='CheckSamplingHook'),
    check_loss=dict(type='CheckLossHook'),
    check_weights=dict(type='CheckWeightsHook'),
    raw_accuracy=dict(type='RawAccuracyHook'),
    bad_videos=dict(type='BadVideosHook', max_share=0.01, test='stop'),
    flow_log=dict(type='FlowLogHook', interval=100, picture_interval=500),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False
