"""A recognizer of each family in the mmaction2 wheel, with a layer added."""

from pathlib import Path

import pytest
from mmengine.config import Config

FLOW = dict(flow_channels=4, n_iters=2)
# name: config, sub-module, one view of one sample, frames of a clip (per-frame only)
ZOO = {
    'TSN': (
        'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb',
        'layer2',
        (8, 3, 64, 64),
        8,
    ),
    'TSM': (
        'tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb',
        'layer2',
        (8, 3, 64, 64),
        None,
    ),
    'TSM, non-local': (
        'tsm/tsm_imagenet-pretrained-r50-nl-dot-product_8xb16-1x1x8-50e_kinetics400-rgb',
        'layer2',
        (8, 3, 64, 64),
        None,
    ),
    'TSM, MobileNetV2': (
        'tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb',
        'layer3',
        (8, 3, 64, 64),
        None,
    ),
    'TSM, MobileOne': (
        'tsm/tsm_imagenet-pretrained-mobileone-s4_8xb16-1x1x16-50e_kinetics400-rgb',
        'stage1',
        (16, 3, 64, 64),
        None,
    ),
    'TIN': (
        'tin/tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb',
        'layer2',
        (8, 3, 64, 64),
        None,
    ),
    'TANet': (
        'tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb',
        'layer2',
        (8, 3, 64, 64),
        None,
    ),
    'TPN, SlowOnly': (
        'tpn/tpn-slowonly_imagenet-pretrained-r50_8xb8-8x8x1-150e_kinetics400-rgb',
        'layer2',
        (1, 3, 8, 64, 64),
        None,
    ),
    'TPN, TSM': (
        'tpn/tpn-tsm_imagenet-pretrained-r50_8xb8-1x1x8-150e_sthv1-rgb',
        'layer2',
        (8, 3, 64, 64),
        None,
    ),
    'TRN': (
        'trn/trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv1-rgb',
        'layer2',
        (8, 3, 64, 64),
        8,
    ),
    'C2D, no pool': (
        'c2d/c2d_r50-in1k-pre-nopool_8xb32-8x8x1-100e_kinetics400-rgb',
        'layer2',
        (8, 3, 64, 64),
        8,
    ),
    'C2D': (
        'c2d/c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb',
        'layer2',
        (1, 3, 8, 64, 64),
        4,
    ),
    'I3D': (
        'i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb',
        'layer2',
        (1, 3, 16, 64, 64),
        None,
    ),
    'I3D, non-local': (
        'i3d/i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-32x2x1-100e_kinetics400-rgb',
        'layer2',
        (1, 3, 16, 64, 64),
        None,
    ),
    'SlowOnly': (
        'slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb',
        'layer2',
        (1, 3, 8, 64, 64),
        None,
    ),
    'SlowFast, slow path': (
        'slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb',
        'slow_path.layer2',
        (1, 3, 32, 64, 64),
        None,
    ),
    'SlowFast, fast path': (
        'slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb',
        'fast_path.layer2',
        (1, 3, 32, 64, 64),
        None,
    ),
    'CSN': (
        'csn/ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb',
        'layer2',
        (1, 3, 8, 64, 64),
        None,
    ),
    'X3D': (
        'x3d/x3d_s_13x6x1_facebook-kinetics400-rgb',
        'layer2',
        (1, 3, 13, 64, 64),
        None,
    ),
    'C3D': (
        'c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb',
        'conv3b',
        (1, 3, 16, 112, 112),
        None,
    ),
    'R(2+1)D': (
        'r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb',
        'layer2',
        (1, 3, 8, 64, 64),
        None,
    ),
    'Omni': (
        'omnisource/slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb',
        'layer2',
        (1, 3, 8, 64, 64),
        None,
    ),
}
# Models that cannot have a neck, since their output is not a single kind of map.
NO_NECK = {
    'TPN, SlowOnly': 'has a neck, TPN',
    'TPN, TSM': 'has a neck, TPN',
    'SlowFast, slow path': 'its backbone gives two paths',
    'SlowFast, fast path': 'its backbone gives two paths',
    'C3D': 'its backbone gives a vector',
    'Omni': 'RecognizerOmni has no neck',
}


def config_of(name: str) -> dict:
    import mmaction
    from mmaction.registry import MODELS

    if 'MobileOne' in name and MODELS.get('MobileOneTSM') is None:
        pytest.skip('MobileOne is in mmpretrain, which is not installed')
    root = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
    model = Config.fromfile(root / f'{ZOO[name][0]}.py').model
    for key in ('pretrained', 'pretrained2d'):
        if key in model.backbone:
            model.backbone[key] = None if key == 'pretrained' else False
    if 'SyncBN' in str(model.backbone.get('norm_cfg')):
        model.backbone.norm_cfg = dict(type='BN3d')  # one process
    return model


def spliced(name: str) -> dict:
    _, after, _, segments = ZOO[name]
    cfg = config_of(name)
    cfg.backbone = dict(
        type='FlowAugmented', backbone=cfg.backbone, after=after, flow=FLOW
    )
    if segments:
        cfg.backbone.num_segments = segments
    return cfg


def with_neck(cfg: dict, shape: tuple[int, ...]) -> tuple[dict, tuple[int, ...]]:
    """The config with a neck, and a clip shape that leaves enough frames for it."""
    mobile = 'MobileNetV2' in str(cfg.backbone)
    channels = 1280 if mobile else cfg.cls_head.in_channels
    cfg.neck = dict(type='RepFlow', in_channels=channels, **FLOW)
    if len(shape) == 4:
        cfg.neck.num_segments = shape[0]
    else:  # the last maps of some have an eighth of the frames
        shape = (*shape[:2], max(shape[2], 16), *shape[3:])
    if cfg.cls_head.type in ('TSMHead', 'TRNHead'):
        cfg.neck.update(keep_frames=True, temporal='same')
    return cfg, shape
