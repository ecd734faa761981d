"""3D and (2+1)D backbones: placements, RGB baselines, zoo weights, freezing."""

import pytest
import torch
from torch import nn

from repflow_mm.models import RepFlowResNet2Plus1d, RepFlowResNet3d
from tests.helpers.torchvision_keys import torchvision_keys

FLOW = dict(flow_channels=4, n_iters=2)
I3D = dict(pretrained2d=False, conv1_kernel=(5, 7, 7), conv1_stride_t=1)
I3D |= dict(pool1_stride_t=1, with_pool2=False)
R2PLUS1D = dict(pretrained2d=False, conv_cfg=dict(type='Conv2plus1d'))
R2PLUS1D |= dict(conv1_kernel=(3, 7, 7), conv1_stride_t=1, pool1_stride_t=1)
R2PLUS1D |= dict(inflate=(1, 1, 1, 1), norm_cfg=dict(type='BN3d'))
KINDS = [(RepFlowResNet3d, I3D), (RepFlowResNet2Plus1d, R2PLUS1D)]
BLOCKS = ('input', 'block1', 'block2', 'block3', 'block4', 'block5')


@pytest.fixture(autouse=True)
def _registered(plugin):
    pass


@pytest.mark.parametrize(('kind', 'options'), KINDS)
@pytest.mark.parametrize('after', BLOCKS)
def test_flow_after_every_block_learns_and_shortens_the_clip(kind, options, after):
    model = kind(depth=18, flow=FLOW, after=after, **options)
    out = model(torch.rand(2, 3, 5, 64, 64))
    assert out.shape == (2, 512, 4, 2, 2)
    out.square().sum().backward()
    for name, parameter in model.flow.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize(('kind', 'options'), KINDS)
@pytest.mark.parametrize('depth', [34, 50])
def test_depths(kind, options, depth):
    model = kind(depth=depth, flow=dict(FLOW, type='FcF'), **options).eval()
    with torch.no_grad():
        channels = 2048 if depth == 50 else 512
        assert model(torch.rand(1, 3, 5, 32, 32)).shape == (1, channels, 3, 1, 1)


@pytest.mark.parametrize(('kind', 'options'), KINDS)
def test_without_flow_it_is_mmaction2s_and_its_weights_load(kind, options):
    parent = kind.__base__(depth=18, **options)
    baseline = kind(depth=18, flow=None, **options)
    assert baseline.state_dict().keys() == parent.state_dict().keys()
    baseline.load_state_dict(parent.state_dict())
    clip = torch.rand(1, 3, 4, 64, 64)
    parent.eval(), baseline.eval()
    torch.testing.assert_close(baseline(clip), parent(clip), rtol=0, atol=0)
    model = kind(depth=18, flow=FLOW, **options)
    keys = model.load_state_dict(parent.state_dict(), strict=False)
    assert not keys.unexpected_keys
    assert keys.missing_keys and all(k[:5] == 'flow.' for k in keys.missing_keys)


def test_identity_start_survives_init_weights():
    options = dict(I3D, zero_init_residual=False)
    flow = dict(FLOW, fusion='add', temporal='same')
    model = RepFlowResNet3d(depth=18, flow=flow, **options)
    model.init_weights()
    baseline = RepFlowResNet3d(depth=18, flow=None, **options)
    baseline.load_state_dict(model.state_dict(), strict=False)
    model.eval(), baseline.eval()
    clip = torch.rand(1, 3, 4, 64, 64)
    torch.testing.assert_close(model(clip), baseline(clip))


def test_2d_weights_inflate_for_everything_but_the_flow(tmp_path):
    from mmaction.models.backbones.resnet import ResNet

    donor = ResNet(50)
    for parameter in donor.parameters():
        nn.init.normal_(parameter)
    path = tmp_path / 'resnet50.pth'
    torch.save(torchvision_keys(donor.state_dict()), path)
    model = RepFlowResNet3d(
        depth=50, flow=FLOW, **dict(I3D, pretrained2d=True, pretrained=str(path))
    )
    model.init_weights()
    flat = donor.layer1[0].conv2.conv.weight
    inflated = model.layer1[0].conv2.conv.weight
    torch.testing.assert_close(inflated.sum(2), flat)


@pytest.mark.parametrize(('kind', 'options'), KINDS)
def test_freezing_checkpointing_and_outputs(kind, options):
    model = kind(
        depth=18, flow=FLOW, frozen_stages=2, norm_eval=True, with_cp=True, **options
    )
    # Right away: DDP wraps the model before anything calls `train`.
    assert not any(p.requires_grad for p in model.layer2.parameters())
    assert all(p.requires_grad for p in model.flow.parameters())
    assert model.flow.bn.training and not model.layer4[0].conv1.bn.training
    model(torch.rand(2, 3, 4, 64, 64)).square().sum().backward()
    assert all(p.grad is not None for p in model.flow.parameters())


@pytest.mark.parametrize(('kind', 'options'), KINDS)
def test_frozen_stages_keep_their_statistics(kind, options):
    """Those behind the layer too, through which it learns."""
    model = kind(
        depth=18, flow=FLOW, after='block2', frozen_stages=2, **options
    ).train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model(torch.rand(2, 3, 2, 32, 32)).square().sum().backward()
    moved = {n for n, b in model.named_buffers() if not torch.equal(b, before[n])}
    assert {name.split('.')[0] for name in moved} == {'flow', 'layer3', 'layer4'}
    assert all(p.grad is not None for p in model.flow.parameters())
    frozen = [*model.conv1.parameters(), *model.layer1.parameters()]
    assert all(p.grad is None for p in frozen)


def test_several_outputs_and_non_local_blocks():
    non_local = dict(sub_sample=True, norm_cfg=dict(type='BN3d'))
    model = RepFlowResNet3d(
        depth=50,
        flow=FLOW,
        out_indices=(1, 3),
        non_local=((0, 0, 0), (1, 0, 0, 0), (0,) * 6, (0, 0, 0)),
        non_local_cfg=non_local,
        **I3D,
    )
    model.eval()
    with torch.no_grad():
        shapes = [tuple(out.shape) for out in model(torch.rand(1, 3, 4, 64, 64))]
    assert shapes == [(1, 512, 3, 8, 8), (1, 2048, 3, 2, 2)]


def test_unknown_block():
    with pytest.raises(ValueError, match="after must be one of .*got 'layer2'"):
        RepFlowResNet3d(depth=18, after='layer2', **I3D)
