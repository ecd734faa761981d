"""The 2D backbone: placements, RGB baselines, pretrained weights, freezing."""

import pytest
import torch
from torch import nn

from repflow_mm.models import RepFlowResNet
from tests.helpers.torchvision_keys import torchvision_keys

ResNet = RepFlowResNet.__base__  # MMAction2's

FLOW = dict(flow_channels=4, n_iters=2)
SHORT = dict(
    after='block5',
    num_stages=3,
    out_indices=(2,),
    strides=(1, 2, 2),
    dilations=(1,) * 3,
)
BLOCKS = ('input', 'block1', 'block2', 'block3', 'block4', 'block5')


@pytest.mark.parametrize('after', BLOCKS)
def test_flow_after_every_block_learns_and_shortens_the_clip(after):
    model = RepFlowResNet(18, flow=FLOW, after=after)
    out = model(torch.rand(2, 3, 4, 64, 64))
    assert out.shape == (2, 512, 3, 2, 2)
    out.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize('depth', [18, 34, 50, 101])
def test_depths(depth):
    model = RepFlowResNet(depth, flow=FLOW).eval()
    channels = 512 if depth < 50 else 2048
    with torch.no_grad():
        assert model(torch.rand(1, 3, 3, 32, 32)).shape == (1, channels, 2, 1, 1)


def test_block3_is_28_by_28_of_224():
    seen = []
    model = RepFlowResNet(18, flow=FLOW, after='block3').eval()
    model.flow.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    with torch.no_grad():
        model(torch.rand(1, 3, 2, 224, 224))
    assert seen == [(1, 128, 2, 28, 28)]


def test_without_flow_it_is_the_2d_resnet_on_every_frame():
    baseline = RepFlowResNet(18, flow=None).eval()
    plain = ResNet(18)
    plain.eval()  # MMAction2's returns nothing
    plain.load_state_dict(baseline.state_dict())
    clip = torch.rand(2, 3, 3, 64, 64)
    frames = plain(clip.transpose(1, 2).flatten(0, 1))
    expected = frames.unflatten(0, (2, 3)).transpose(1, 2)
    torch.testing.assert_close(baseline(clip), expected, rtol=0, atol=0)


def test_several_outputs():
    model = RepFlowResNet(18, flow=FLOW, out_indices=(0, 1, 3)).eval()
    with torch.no_grad():
        shapes = [tuple(out.shape) for out in model(torch.rand(1, 3, 4, 64, 64))]
    assert shapes == [(1, 64, 4, 16, 16), (1, 128, 3, 8, 8), (1, 512, 3, 2, 2)]


@pytest.mark.parametrize('depth', [18, 50])
def test_torchvision_weights_load_for_everything_but_the_flow(depth, tmp_path):
    donor = ResNet(depth)
    for parameter in donor.parameters():
        nn.init.normal_(parameter)
    path = tmp_path / 'resnet.pth'
    torch.save(torchvision_keys(donor.state_dict()), path)
    model = RepFlowResNet(depth, flow=FLOW, pretrained=str(path))
    model.init_weights()
    ours = model.state_dict()
    for key, value in donor.state_dict().items():
        if not key.endswith('num_batches_tracked'):
            assert torch.equal(ours[key], value), key


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / 'resnet.pth'
    torch.save(torchvision_keys(ResNet(34).state_dict()), path)
    model = RepFlowResNet(50, flow=FLOW, pretrained=str(path))
    with pytest.raises(ValueError, match='is not a 2D ResNet-50'):
        model.init_weights()


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_mmaction_weights_load_for_everything_but_the_flow(tmp_path, prefix):
    donor = ResNet(18)
    for parameter in donor.parameters():
        nn.init.normal_(parameter)
    path = tmp_path / 'resnet.pth'
    weights = {prefix + key: value for key, value in donor.state_dict().items()}
    weights['cls_head.fc_cls.bias'] = torch.zeros(400)
    torch.save(dict(state_dict=weights), path)
    model = RepFlowResNet(18, flow=FLOW, pretrained=str(path))
    model.init_weights()
    missing = set(model.state_dict()) - set(donor.state_dict())
    assert missing and all(key.startswith('flow.') for key in missing)
    for key, value in donor.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key


def test_identity_start_survives_init_weights():
    flow = dict(FLOW, fusion='add', temporal='same')
    model = RepFlowResNet(18, flow=flow)
    model.init_weights()
    baseline = RepFlowResNet(18, flow=None)
    baseline.load_state_dict(model.state_dict(), strict=False)
    clip = torch.rand(1, 3, 3, 64, 64)
    torch.testing.assert_close(model.eval()(clip), baseline.eval()(clip))


def test_freezing_and_norm_eval_leave_the_flow_layer_learning():
    model = RepFlowResNet(
        18, flow=FLOW, after='block2', frozen_stages=2, norm_eval=True
    )
    assert not any(p.requires_grad for p in model.layer2.parameters())
    assert all(p.requires_grad for p in model.flow.parameters())
    assert not model.layer4[0].conv1.bn.training
    assert model.flow.bn.training
    model.eval()
    assert not model.flow.bn.training


@pytest.mark.parametrize(
    ('match', 'options'),
    [
        ("after must be one of .*'block5'.*got 'layer2'", dict(after='layer2')),
        (
            "got 'block5'",
            dict(
                after='block5',
                num_stages=3,
                out_indices=(2,),
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
            ),
        ),
        ('depth must be one of', dict(depth=20)),
        ('unknown names', dict(flow=dict(learn=('taus',)))),
    ],
)
def test_wrong_options(match, options):
    with pytest.raises(ValueError, match=match):
        RepFlowResNet(**dict(dict(depth=18), **options))


def test_frames_instead_of_clips():
    with pytest.raises(ValueError, match="input_format='NCTHW'"):
        RepFlowResNet(18)(torch.rand(4, 3, 64, 64))


def test_a_clip_of_one_frame():
    with pytest.raises(ValueError, match='at least 2 frames'):
        RepFlowResNet(18)(torch.rand(2, 3, 1, 64, 64))


def test_no_clips():
    model = RepFlowResNet(18, flow=FLOW).eval()
    assert model(torch.rand(0, 3, 4, 64, 64)).shape == (0, 512, 3, 2, 2)


def test_the_user_freezes_the_flow_layer():
    model = RepFlowResNet(18, flow=FLOW, partial_bn=True).train()
    assert all(p.requires_grad for p in model.flow.parameters())
    model.flow.requires_grad_(False)
    model.train()
    assert not any(p.requires_grad for p in model.flow.parameters())
    assert not model.flow.bn.training
