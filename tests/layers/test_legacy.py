"""The authors' later layer, compared with data from their (corrected) code, in fp64."""

import numpy as np
import pytest
import torch

from repflow_mm.errors import InputError
from repflow_mm.layers.legacy import LegacyRepresentationFlow
from tests.helpers.paths import GOLDEN

DATA = GOLDEN / 'authors_flow_layer.npz'


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    error, size = (actual - expected).square().mean(), expected.square().mean()
    return (error / size).sqrt().item()


@pytest.mark.skipif(not DATA.is_file(), reason=f'no {DATA.name} in {GOLDEN}')
def test_output_and_every_gradient():
    data = np.load(DATA)

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(data[name]).double()

    weights = {k[6:]: tensor(k) for k in data if k.startswith('param.')}
    flow_channels, channels = weights['bottleneck.weight'].shape[:2]
    layer = LegacyRepresentationFlow(channels, flow_channels, int(data['n_iter']))
    layer.double().eval().load_state_dict(weights)
    x = tensor('x').requires_grad_()
    y = layer(x)
    assert relative(y.detach(), tensor('y')) < 1e-12
    (y * tensor('g')).sum().backward()
    assert relative(x.grad, tensor('grad_x')) < 1e-12
    for name, parameter in layer.named_parameters():
        assert relative(parameter.grad, tensor(f'grad.{name}')) < 1e-12, name


@pytest.mark.parametrize('shape', [(1, 8, 1, 4, 4), (1, 8, 4, 4), (1, 8, 3, 1, 4)])
def test_wrong_shapes(shape):
    with pytest.raises(InputError, match='at least 2|needs features'):
        LegacyRepresentationFlow(8, 4)(torch.rand(shape))


def test_it_is_a_motion_layer():
    layer = LegacyRepresentationFlow(8, 4)
    x = torch.rand(2, 8, 3, 6, 6)
    u, v = layer.eval().flow(x)
    assert u.shape == v.shape == (2, 4, 2, 6, 6)
    assert not torch.equal(layer.flow(x, n_iters=1)[0], u)
    start = {name: value.item() for name, value in layer.log_scalars().items()}
    assert start == pytest.approx(dict(tau=0.25, lam=0.15, theta=0.3))
    before = layer.img_grad.clone()
    with torch.no_grad():
        layer.img_grad.zero_(), layer.t.zero_()
    layer.reset_parameters()
    assert torch.equal(layer.img_grad, before) and layer.t.item() > 0.29
    assert len(layer.slow_parameters()) == 9
