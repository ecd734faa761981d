"""Every CNN recognizer in the mmaction2 wheel, with motion layers added.

Each is built from its own config with a layer after a sub-module (`FlowAugmented`) and,
where possible, another one as its neck, takes a training step in which both learn, and
runs a test step.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from repflow_mm.errors import InputError
from tests.helpers.steps import ops_without_shift

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


@pytest.fixture(autouse=True)
def _wheel(plugin, monkeypatch):
    """TIN needs compiled ops of full mmcv, replaced here by a zero shift."""
    monkeypatch.setitem(sys.modules, 'mmcv.ops', ops_without_shift())


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


QUICK = ('TSN', 'TSM', 'I3D', 'SlowFast, slow path')


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in ZOO
    ],
)
def test_flow_behind_a_stage_and_as_a_neck_learns(name):
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample

    cfg, shape = spliced(name), ZOO[name][2]
    if name not in NO_NECK:
        cfg, shape = with_neck(cfg, shape)
    model = MODELS.build(cfg).train()
    layers = [model.backbone.flow] + ([] if name in NO_NECK else [model.neck])
    before = [layer.bn.weight.detach().clone() for layer in layers]
    clips = torch.randint(0, 255, (2, *shape)).float()
    samples = [ActionDataSample().set_gt_label(n) for n in range(2)]
    data = dict(inputs=list(clips), data_samples=samples)
    batch = [data] if type(model).__name__ == 'RecognizerOmni' else data
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    losses = model.train_step(batch, optimizer)
    assert torch.isfinite(losses['loss'])
    for layer, weight in zip(layers, before, strict=True):
        assert not torch.equal(weight, layer.bn.weight)
    model.eval()
    if getattr(model, 'test_cfg', None):
        model.test_cfg.pop('max_testing_views', None)  # for single samples
    # Three crops of each sample: their frames one after another, or views of a clip.
    data['inputs'] = list(clips.repeat(1, 3, *[1] * (clips.dim() - 2)))
    with torch.no_grad():
        np.random.seed(0)  # TRN draws frames in evaluation too
        results = model.test_step(data)
        np.random.seed(0)
        alone = model.test_step(dict(inputs=list(clips[:1]), data_samples=samples[:1]))
    for result in results:
        assert result.pred_score.isfinite().all()
    # Equal crops give the scores of one: flow does not cross from crop to crop.
    torch.testing.assert_close(results[0].pred_score, alone[0].pred_score)


def test_tpn_is_a_neck_already():
    for name in ('TPN, SlowOnly', 'TPN, TSM'):
        assert config_of(name).neck.type == 'TPN'


def test_recognizer_omni_takes_no_neck():
    from mmaction.registry import MODELS

    cfg, _ = with_neck(config_of('Omni'), ZOO['Omni'][2])
    with pytest.raises(TypeError, match="'neck'"):
        MODELS.build(cfg)


@pytest.mark.parametrize(
    ('name', 'error'),
    [
        ('SlowFast, slow path', 'the backbone returns 2 outputs'),
        (
            'C3D',
            r'returns features of shape \(1, 4096\): insert the layer after a stage',
        ),
    ],
)
def test_a_neck_refuses_a_backbone_without_one_map(name, error):
    from mmaction.registry import MODELS

    cfg, _ = with_neck(config_of(name), ZOO[name][2])
    with torch.device('meta'):
        backbone, neck = MODELS.build(cfg.backbone), MODELS.build(cfg.neck)
        features = backbone(torch.empty(1, *ZOO[name][2][1:]))
        with pytest.raises(InputError, match=error):
            neck(features)


@pytest.mark.parametrize('name', ['TSM', 'I3D', 'SlowOnly', 'CSN'])
def test_a_spliced_model_starts_with_the_zoo_models_scores(name):
    from mmaction.registry import MODELS

    shape = ZOO[name][2]
    plain = MODELS.build(config_of(name)).eval()
    model = MODELS.build(spliced(name)).eval()
    missing = model.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(k.startswith('backbone.flow.') for k in missing.missing_keys)
    clip = torch.randn(1, *shape)
    with torch.no_grad():
        expected, _ = plain.extract_feat(clip, test_mode=True)
        actual, _ = model.extract_feat(clip, test_mode=True)
    torch.testing.assert_close(actual, expected)
