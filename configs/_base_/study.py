# Shared by the claims in configs/study: what every run has, and how large a scale is.
# A scale has the number of seeds and clips (of all classes together), options of the
# configs, and may have `set` (options of MotionSet) and `sets` (not all of them).
options = {
    'clip_len': 10,
    'default_hooks.flow_log': None,
    'default_hooks.raw_accuracy': None,
}
scales = dict(
    # A quarter of the channels on smaller frames, 720 steps of small batches: two runs
    # in a minute and a half, each on one core.
    quick=dict(
        seeds=3,
        train=480,
        val=400,
        set=dict(size=52),
        options={
            'max_epochs': 12,
            'train_dataloader.batch_size': 8,
            'optim_wrapper.optimizer.lr': 2e-3,
            'crop_size': 44,
            # With kernels of one frame, MMAction2's 3D ResNet is its 2D ResNet.
            'model.backbone.type': 'RepFlowResNet3d',
            'model.backbone.base_channels': 16,
            'model.backbone.inflate': (0, 0, 0, 0),
            'model.backbone.conv1_kernel': (1, 7, 7),
            'model.backbone.conv1_stride_t': 1,
            'model.backbone.pool1_stride_t': 1,
            'model.backbone.with_pool2': False,
            'model.cls_head.in_channels': 128,
        },
    ),
    # The demo's ResNet-18.
    paper=dict(seeds=5, train=960, val=1000, options=dict(max_epochs=8)),
    # ResNet-50 on frames of twice the size.
    gpu=dict(
        seeds=7,
        train=4000,
        val=2000,
        set=dict(size=128),
        options={
            'max_epochs': 20,
            'crop_size': 112,
            'model.backbone.depth': 50,
            'model.cls_head.in_channels': 2048,
        },
    ),
)
