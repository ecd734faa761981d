"""The splice: copies, saving, freezing, and errors for wrong input."""

import copy
import io
import pickle

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from tests.helpers.faults.runs import differences
from tests.helpers.libraries import network_of

FLOW = dict(flow_channels=4, n_iters=2)
SLOWONLY = dict(
    type='ResNet3dSlowOnly', depth=18, lateral=False, conv1_kernel=(1, 7, 7)
)
SLOWONLY |= dict(conv1_stride_t=1, pool1_stride_t=1, inflate=(0, 0, 1, 1))
SLOWONLY |= dict(pretrained=None, pretrained2d=False)
TSM = dict(type='ResNetTSM', depth=18, num_segments=4)
CLIP = torch.rand(2, 3, 4, 64, 64)


def build(backbone=SLOWONLY, after='layer2', **options):
    from mmaction.registry import MODELS

    options.setdefault('flow', FLOW)
    cfg = dict(type='FlowAugmented', backbone=dict(backbone), after=after, **options)
    return MODELS.build(cfg)


@pytest.fixture(autouse=True)
def _registered(plugin):
    pass


def scramble(model) -> None:
    """Leave the identity, so that the layer has an effect."""
    nn.init.normal_(model.flow.bn.weight)


def test_copies_have_their_own_layer():
    model = build()
    model.eval()
    other = copy.deepcopy(model)
    torch.testing.assert_close(other(CLIP), model(CLIP), rtol=0, atol=0)
    before = model(CLIP)
    scramble(other)
    assert not torch.allclose(other(CLIP), before)
    torch.testing.assert_close(model(CLIP), before, rtol=0, atol=0)
    other.train()
    other.init_weights()
    assert other.flow.training and not model.flow.training
    assert not other.flow.bn.weight.any() and other.flow is not model.flow


def test_two_models_of_one_config_share_nothing():
    first, second = build(), build()
    scramble(first)
    second.load_state_dict(first.state_dict())
    first.eval(), second.eval()
    expected = second(CLIP)
    nn.init.zeros_(first.flow.bn.weight)
    torch.testing.assert_close(second(CLIP), expected, rtol=0, atol=0)


def test_saving_the_whole_model_and_its_weights():
    model = build()
    model.eval()
    scramble(model)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    again = torch.load(buffer, weights_only=False)
    torch.testing.assert_close(again(CLIP), model(CLIP), rtol=0, atol=0)
    assert pickle.loads(pickle.dumps(model.state_dict())).keys() == {
        *model.state_dict()
    }
    fresh = build()
    fresh.eval()
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(CLIP), model(CLIP), rtol=0, atol=0)


def test_the_ema_copy_averages_the_layer_and_runs_with_it():
    model = build()
    model.eval()
    ema = ExponentialMovingAverage(model, momentum=0.5)
    ema.update_parameters(model)
    nn.init.constant_(model.flow.bn.weight, 1.0)
    ema.update_parameters(model)
    assert (ema.module.flow.bn.weight == 0.5).all()
    assert not torch.allclose(ema(CLIP), model(CLIP))


@pytest.mark.parametrize(
    'flow', [dict(type='FcF'), dict(fusion='none', temporal='valid')]
)
def test_other_layers(flow):
    model = build(flow=dict(FLOW, **flow))
    frames = 3 if flow.get('temporal') == 'valid' else 4
    assert model(CLIP).shape == (2, 512, frames, 2, 2)


def test_per_frame_backbones_see_clips():
    model = build(TSM, 'layer2')
    model.eval()
    seen = []
    model.flow.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    maps = []
    model.layer2.register_forward_hook(
        lambda _, args, output: maps.append(output), prepend=True
    )
    model(CLIP.transpose(1, 2).flatten(0, 1))
    assert maps[0].shape == (8, 128, 8, 8)
    clips = maps[0].unflatten(0, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(seen[0], clips, rtol=0, atol=0)


def test_a_batch_that_is_no_whole_clips():
    model = build(dict(type='ResNet', depth=18), num_segments=4)
    with pytest.raises(
        ValueError, match='6 frames does not divide .* of 4: set .*num_segments'
    ):
        model(torch.rand(6, 3, 64, 64))


def test_a_backbone_whose_own_layer_is_left_out():
    inner = dict(type='RepFlowResNet', depth=18, flow=None)
    model = build(inner, 'layer3', num_segments=4)
    calls = []
    model.flow.register_forward_hook(lambda *call: calls.append(call))
    assert model(CLIP[:1]).shape[1] == 512
    assert len(calls) == 1


def test_weights_of_the_layer_in_a_pretrained_file_stay(tmp_path):
    donor = build()
    scramble(donor)
    path = tmp_path / 'ours.pth'
    torch.save(dict(state_dict=donor.state_dict()), path)
    model = build(dict(SLOWONLY, pretrained=str(path)))
    model.init_weights()
    assert torch.equal(model.flow.bn.weight, donor.flow.bn.weight)
    fresh = build()
    fresh.init_weights()
    assert not fresh.flow.bn.weight.any()


def test_building_leaves_statistics_and_modes_alone():
    model = build()
    assert all(m.training for m in model.modules())
    assert not model.layer1[0].conv1.bn.running_mean.any()
    hooked = [m for m in model.modules() if m._forward_hooks]
    assert hooked == [model, model.layer2]  # the probe's is gone
    assert len(model.layer2._forward_hooks) == 1


def test_frozen_norms_leave_the_layer_learning():
    csn = dict(type='ResNet3dCSN', depth=50, pretrained=None, pretrained2d=False)
    csn |= dict(bottleneck_mode='ir', norm_eval=True, bn_frozen=True)
    csn |= dict(with_pool2=False)
    model = build(csn)
    assert not model.layer4[0].conv1.bn.weight.requires_grad
    assert all(p.requires_grad for p in model.flow.parameters())
    assert model.flow.bn.training


@pytest.mark.parametrize(
    ('match', 'backbone', 'options'),
    [
        (
            "no sub-module 'layer9'; did you mean 'layer[1-4]'",
            SLOWONLY,
            dict(after='layer9'),
        ),
        ('There are: conv1, .*layer4', SLOWONLY, dict(after='nonsense')),
        ('must keep its frames', TSM, dict(flow=dict(temporal='valid'))),
        ('set .*num_segments', dict(type='ResNet', depth=18), dict()),
        (
            r"'layers.1' of SwinTransformer3D returns \(1, 16, 8, 12, 192\)",
            dict(
                type='SwinTransformer3D', arch='t', pretrained=None, pretrained2d=False
            ),
            dict(after='layers.1'),
        ),
        (r"'fc6' of C3D returns \(1, 4096\)", dict(type='C3D'), dict(after='fc6')),
        ('flow must be a dict', SLOWONLY, dict(flow=3)),
        ('num_segments .* must be an int', TSM, dict(num_segments='8')),
        ('backbone must be the config of a backbone', dict(depth=18), dict()),
        (
            "backbone 'torchvision.resnet17': ",
            dict(type='torchvision.resnet17'),
            dict(),
        ),
        ('flow.type must be one of', SLOWONLY, dict(flow=dict(type='Flow'))),
        (
            'never calls its sub-module',
            dict(type='ResNet3dSlowFast', pretrained=None),
            dict(after='slow_path'),
        ),
    ],
)
def test_wrong_input(match, backbone, options):
    with pytest.raises(ValueError, match=match):
        build(backbone, **options)


def test_two_layers_and_one_around_a_backbone_that_has_one():
    inner = dict(type='FlowAugmented', backbone=dict(SLOWONLY), after='layer1')
    flow = dict(FLOW, fusion='add', temporal='same')
    own = dict(type='RepFlowResNet3d', depth=18, pretrained2d=False, flow=flow)
    own |= dict(pretrained=None, after='block2', zero_init_residual=False)
    clip = CLIP[:1, ..., :32, :32]
    for backbone in (dict(inner, flow=FLOW), own):
        model = build(backbone, 'layer2')
        model.init_weights()
        model.eval()
        expected = model(clip)
        ema = ExponentialMovingAverage(model, momentum=0.5)
        for layer in (ema.module.flow, ema.module.flow2):
            before = ema(clip)
            nn.init.normal_(layer.bn.weight)
            assert not torch.allclose(ema(clip), before)
        assert torch.equal(model(clip), expected)
        nn.init.normal_(model.flow2.bn.weight)
        fresh = build(backbone, 'layer2')
        fresh.load_state_dict(model.state_dict())
        fresh.eval()
        torch.testing.assert_close(fresh(clip), model(clip), rtol=0, atol=0)
        assert all(p.is_meta for p in model.to('meta').flow2.parameters())


def test_mmengines_conversion_to_sync_bn_keeps_the_layer():
    from mmengine.model import convert_sync_batchnorm

    model = build(after='layer2.0.conv1.bn')
    scramble(model)
    model.eval()
    expected = model(CLIP)
    converted = convert_sync_batchnorm(copy.deepcopy(model), 'torch')
    converted.eval()  # the new norms are in training mode
    assert isinstance(converted.layer2[0].conv1.bn, nn.SyncBatchNorm)
    torch.testing.assert_close(converted(CLIP), expected)
    scramble(converted)
    assert not torch.allclose(converted(CLIP), expected)


HEAD = dict(type='TSNHead', num_classes=5, in_channels=512, dropout_ratio=0)


@pytest.mark.parametrize(
    ('name', 'after', 'channels'),
    [
        ('torchvision.resnet18', 'layer2', 512),
        ('torchvision.mobilenet_v2', 'features.6', 1280),
        ('torchvision.mobilenet_v3_small', 'features.6', 576),
        ('timm.resnet18', 'layer2', 512),
        ('timm.regnetx_002', 's2', 368),
        ('timm.efficientnet_b0', 'blocks.2', 1280),
        ('timm.mobilenetv4_conv_small', 'blocks.1', 960),
        ('timm.convnext_atto', 'stages.1', 320),
    ],
)
def test_backbones_of_other_libraries_as_recognizers_resolve_them(
    name, after, channels
):
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample
    from mmengine.optim import OptimWrapper

    network_of(name.split('.')[0])
    head = dict(HEAD, in_channels=channels)
    plain = MODELS.build(
        dict(type='Recognizer2D', backbone=dict(type=name), cls_head=head)
    )
    backbone = dict(type='FlowAugmented', backbone=dict(type=name), after=after)
    backbone |= dict(flow=FLOW, num_segments=4)
    spliced = dict(type='Recognizer2D', backbone=backbone, cls_head=head)
    neck = dict(type='RepFlow', in_channels=channels, num_segments=4, **FLOW)
    neck |= dict(fusion='add', temporal='same')
    for cfg in (spliced, dict(spliced, neck=neck)):
        model = MODELS.build(cfg)
        before = copy.deepcopy(model.backbone.state_dict())
        model.init_weights()  # as the Runner does: pretrained weights stay
        assert not differences(before, model.backbone.state_dict())
        model.load_state_dict(plain.state_dict(), strict=False)
        views = torch.rand(1, 4, 3, 64, 64)
        samples = [ActionDataSample().set_gt_label(1)]
        scores = []
        for recognizer in (plain, model):
            recognizer.eval()
            with torch.no_grad():
                (sample,) = recognizer(views, samples, mode='predict')
            scores.append(sample.pred_score.clone())
        torch.testing.assert_close(*scores)
        model.train()
        optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
        data = dict(
            inputs=list(views.expand(2, -1, -1, -1, -1)), data_samples=samples * 2
        )
        assert torch.isfinite(model.train_step(data, optimizer)['loss'])
        assert model.backbone.flow.bn.weight.any()


def test_a_neck_behind_a_library_that_mmaction2_pools():
    from mmaction.registry import MODELS

    network_of('torchvision')
    backbone = dict(type='torchvision.resnet18')
    neck = dict(type='RepFlow', in_channels=512, **FLOW)
    model = MODELS.build(
        dict(type='Recognizer2D', backbone=backbone, neck=neck, cls_head=HEAD)
    )
    with pytest.raises(ValueError, match='pools the output of .*FlowAugmented'):
        model.extract_feat(torch.rand(1, 4, 3, 64, 64))


def test_no_layer_is_the_rgb_baseline():
    assert hasattr(build(flow={}), 'flow')
    assert not hasattr(build(flow=None), 'flow')
