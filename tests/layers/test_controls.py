"""The controls without motion, against the originals of MMCV and MMAction2."""

import pytest
import torch

from repflow_mm.layers import NonLocal, Shift

X = torch.randn(2, 8, 4, 6, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('sub_sample', [True, False])
def test_non_local_is_mmcvs_block(sub_sample):
    from mmcv.cnn import NonLocal3d

    torch.manual_seed(0)
    theirs = NonLocal3d(8, norm_cfg=dict(type='BN3d'), sub_sample=sub_sample).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    keys, values = (part[0] if sub_sample else part for part in (theirs.phi, theirs.g))
    convs = [part.conv for part in (theirs.theta, keys, values)]
    for conv in convs:
        torch.nn.init.zeros_(conv.bias)
    theirs.conv_out.bn.reset_parameters()
    ours = NonLocal(
        8,
        sub_sample=sub_sample,
        fusion='add',
        temporal='same',
        zero_init_residual=False,
    ).eval()
    with torch.no_grad():
        ours.reduce.weight.copy_(torch.cat([conv.weight for conv in convs]))
        ours.expand.weight.copy_(theirs.conv_out.conv.weight)
    torch.testing.assert_close(ours(X), theirs(X), rtol=1e-4, atol=1e-4)
    valid = NonLocal(8, sub_sample=sub_sample).eval()
    valid.load_state_dict(ours.state_dict())
    torch.testing.assert_close(valid(X), (ours(X) - X)[:, :, :-1], rtol=1e-4, atol=1e-4)


def test_shift_is_tsms(plugin):
    from mmaction.models.backbones.resnet_tsm import TemporalShift

    layer = Shift(8, flow_channels=9, shift_div=4, temporal='same').eval()
    g = layer.reduce(X)
    frames = g.transpose(1, 2).flatten(0, 1)
    expected = TemporalShift.shift(frames, 4, 4).unflatten(0, (2, 4)).transpose(1, 2)
    assert torch.equal(layer.motion(g), expected)
    layer.temporal = 'valid'
    assert torch.equal(layer.motion(g), expected[:, :, :-1])
    assert Shift(8, flow_channels=1)(X).shape == (2, 8, 3, 6, 4)
