"""The neck in MMAction2's recognizers: one train step and one test step each."""

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper
from torch import nn

from repflow_mm.errors import InputError
from tests.helpers.every_layer import LAYERS
from tests.helpers.frame_difference import FrameDifference

HEAD = dict(num_classes=5, dropout_ratio=0, average_clips='prob')
NECK = dict(type='RepFlow', in_channels=512, flow_channels=4, n_iters=2)


def train_step(model, inputs: torch.Tensor) -> None:
    """One optimizer step, after which all solver parameters have changed."""
    before = [p.detach().clone() for p in model.neck.solver.parameters()]
    samples = [ActionDataSample().set_gt_label(n % 5) for n in range(len(inputs))]
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    data = dict(inputs=list(inputs), data_samples=samples)
    assert torch.isfinite(model.train_step(data, optimizer)['loss'])
    for old, new in zip(before, model.neck.solver.parameters(), strict=True):
        assert new.isfinite().all() and not torch.equal(old, new)


def test_step(model, inputs: torch.Tensor) -> torch.Tensor:
    """Scores of the clips, checked to be probabilities."""
    samples = [ActionDataSample().set_gt_label(0) for _ in inputs]
    model.eval()
    with torch.no_grad():
        out = model.test_step(dict(inputs=list(inputs), data_samples=samples))
    scores = torch.stack([sample.pred_score for sample in out])
    torch.testing.assert_close(scores.sum(1), torch.ones(len(inputs)))
    return scores


test_step.__test__ = False


def test_recognizer_3d(plugin):
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(type='RepFlowResNet', depth=18, flow=None),
            neck=NECK,
            cls_head=dict(type='I3DHead', in_channels=512, **HEAD),
        )
    )
    train_step(model, torch.rand(2, 1, 3, 3, 64, 64))
    views = torch.rand(1, 4, 3, 3, 64, 64)
    whole = test_step(model, views)
    model.test_cfg = dict(max_testing_views=2)
    torch.testing.assert_close(test_step(model, views), whole)


@pytest.mark.parametrize('out_indices', [(3,), (2, 3)])
@pytest.mark.parametrize('segments', [3, 4])  # 512 channels do not divide by 3
def test_recognizer_2d(plugin, out_indices, segments):
    model = MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(type='ResNet', depth=18, out_indices=out_indices),
            neck=dict(NECK, num_segments=segments),
            cls_head=dict(type='TSNHead', in_channels=512, **HEAD),
        )
    )
    train_step(model, torch.rand(2, segments, 3, 64, 64))
    views = torch.rand(1, 3 * segments, 3, 64, 64)
    whole = test_step(model, views)
    model.test_cfg = dict(max_testing_views=segments)
    torch.testing.assert_close(test_step(model, views), whole)


def test_recognizer_2d_without_a_neck_is_as_it_was(plugin):
    model = MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(type='ResNet', depth=18),
            cls_head=dict(type='TSNHead', in_channels=512, **HEAD),
        )
    ).eval()
    views = torch.rand(1, 6, 3, 64, 64)
    whole = test_step(model, views)
    original = type(model).extract_feat.__wrapped__
    feature, _ = original(model, views, test_mode=True)
    torch.testing.assert_close(model.extract_feat(views, test_mode=True)[0], feature)
    model.test_cfg = dict(max_testing_views=2)
    torch.testing.assert_close(test_step(model, views), whole)


def test_flow_does_not_cross_the_seams_of_views(plugin):
    neck = MODELS.build(dict(NECK, in_channels=8, num_segments=3)).eval()
    views = torch.rand(2, 8, 6, 5, 5)
    together, _ = neck([views])
    halves = [neck([views[:, :, i : i + 3]])[0] for i in (0, 3)]
    torch.testing.assert_close(together, sum(halves) / 2)
    with pytest.raises(ValueError, match='6 frames do not divide .*num_segments=4'):
        MODELS.build(dict(NECK, in_channels=8, num_segments=4))([views])


def test_the_contract(plugin):
    neck = MODELS.build(NECK)
    feature, loss_aux = neck(torch.rand(1, 512, 3, 4, 4), data_samples=None)
    assert feature.shape == (1, 512, 2, 4, 4) and loss_aux == {}
    feature, _ = neck([torch.rand(1, 8, 3, 8, 8), torch.rand(1, 512, 3, 4, 4)])
    assert feature.shape == (1, 512, 1, 4, 4)


def test_the_readmes_two_lines_keep_a_models_predictions(plugin):
    import mmaction
    from mmengine.config import Config

    configs = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
    name = 'i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
    cfg = Config.fromfile(configs / name)
    cfg.model.backbone.pretrained = None
    plain = MODELS.build(cfg.model)
    cfg.model.neck = dict(
        type='RepFlow', in_channels=2048, fusion='add', temporal='same'
    )
    model = MODELS.build(cfg.model)
    model.load_state_dict(plain.state_dict(), strict=False)
    clip = torch.rand(1, 1, 3, 16, 64, 64)
    torch.testing.assert_close(test_step(model, clip), test_step(plain, clip))
    train_steps = torch.rand(2, 1, 3, 16, 64, 64)
    data = dict(
        inputs=list(train_steps),
        data_samples=[ActionDataSample().set_gt_label(n) for n in range(2)],
    )
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    assert torch.isfinite(model.train_step(data, optimizer)['loss'])
    assert model.neck.bn.weight.any()  # the identity has been left


TSM = dict(
    type='Recognizer2D',
    backbone=dict(type='ResNetTSM', depth=18, num_segments=4, pretrained=None),
    cls_head=dict(type='TSMHead', in_channels=512, num_segments=4, **HEAD),
)


def test_the_neck_finds_out_how_a_head_counts_frames(plugin):
    neck = dict(NECK, fusion='add', temporal='same')
    plain, model = MODELS.build(TSM), MODELS.build(dict(TSM, neck=neck))
    model.load_state_dict(plain.state_dict(), strict=False)
    views = torch.rand(1, 3 * 4, 3, 64, 64)  # three crops
    torch.testing.assert_close(test_step(model, views), test_step(plain, views))
    assert model.neck.keep_frames and model.neck.num_segments == 4
    nn.init.normal_(model.neck.bn.weight)  # leave the identity
    train_step(model.train(), torch.rand(2, 4, 3, 64, 64))


@pytest.mark.parametrize(
    ('match', 'head', 'neck'),
    [
        (r"TSMHead counts .* \(4\).*set neck.temporal='same'", 'TSM', {}),
        ('remove keep_frames=False', 'TSM', dict(keep_frames=False)),
        ('num_segments=8 and TSMHead has 4', 'TSM', dict(num_segments=8)),
        ('TSNHead takes one map', 'TSN', dict(keep_frames=True)),
    ],
)
def test_necks_that_cannot_agree_with_the_recognizer(plugin, match, head, neck):
    if neck:
        neck = dict(neck, temporal='same')
    cfg = dict(TSM, neck=dict(NECK, **neck))
    if head == 'TSN':
        cfg |= dict(cls_head=dict(type='TSNHead', in_channels=512, **HEAD))
        cfg |= dict(backbone=dict(type='ResNet', depth=18))
    with pytest.raises(InputError, match=match):
        MODELS.build(cfg).extract_feat(torch.rand(1, 4, 3, 32, 32))


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ("RepFlow has no option 'segments', did you mean", dict(segments=8)),
        ('num_segments must be at least 1', dict(num_segments=0)),
        ('keep_frames must be True or False', dict(keep_frames='yes')),
        ("keep_frames=True needs temporal='same'", dict(keep_frames=True)),
        ('in_channels must be an int, got None', dict(in_channels=None)),
    ],
)
def test_wrong_options(plugin, match, options):
    with pytest.raises(InputError, match=match):
        MODELS.build(dict(NECK, **options))


@pytest.mark.parametrize('name', [*LAYERS, 'FrameDifference'])
def test_every_layer_is_a_neck_of_its_name(plugin, name):
    import pickle

    from repflow_mm.models import necks

    layer = LAYERS.get(name, FrameDifference)
    width = dict(flow_channels=4) if 'flow_channels' in layer.options() else {}
    neck = MODELS.build(dict(type=name, in_channels=8, **width))
    assert isinstance(neck, layer) and f"type='{name}'" in type(neck).__doc__
    assert neck.state_dict().keys() == layer(8, **width).state_dict().keys()
    assert type(pickle.loads(pickle.dumps(neck))) is getattr(necks, name)
    if 'budget' in layer.options():
        equal = MODELS.build(dict(type=name, in_channels=64, budget='equal'))
        assert (
            equal.reduce.weight.shape == layer(64, budget='equal').reduce.weight.shape
        )


SWIN = dict(type='SwinTransformer3D', pretrained=None, pretrained2d=False)
SWIN |= dict(arch=dict(embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]))
UNIFORMER = dict(type='UniFormer', depth=[1, 1, 1, 1], embed_dim=[16, 32, 64, 64])
UNIFORMER |= dict(head_dim=16, pretrained2d=False)


@pytest.mark.parametrize(('backbone', 'channels'), [(SWIN, 192), (UNIFORMER, 64)])
def test_transformers_that_give_maps(plugin, backbone, channels):
    neck = dict(NECK, in_channels=channels, fusion='add', temporal='same')
    head = dict(type='I3DHead', in_channels=channels, **HEAD)
    cfg = dict(type='Recognizer3D', backbone=backbone, cls_head=head)
    plain, model = MODELS.build(cfg), MODELS.build(dict(cfg, neck=neck))
    model.load_state_dict(plain.state_dict(), strict=False)
    clip = torch.rand(1, 1, 3, 8, 64, 64)
    torch.testing.assert_close(test_step(model, clip), test_step(plain, clip))
    nn.init.normal_(model.neck.bn.weight)
    train_step(model.train(), torch.rand(2, 1, 3, 8, 64, 64))


def test_transformers_that_give_tokens_besides(plugin):
    backbone = dict(type='MViT', arch='tiny', spatial_size=64, temporal_size=8)
    cfg = dict(type='Recognizer3D', backbone=backbone, neck=dict(NECK, in_channels=768))
    with pytest.raises(InputError, match='backbone returns 1 outputs'):
        MODELS.build(cfg).extract_feat(torch.rand(1, 1, 3, 8, 64, 64))
