"""The authors' later layer, held to data from their (corrected) code, in fp64."""

import numpy as np
import pytest
import torch

from repflow_mm.layers.legacy import LegacyRepresentationFlow
from tests.helpers.paths import ROOT

GOLDEN = np.load(ROOT / 'tests' / 'data' / 'authors_flow_layer.npz')


def tensor(name: str) -> torch.Tensor:
    return torch.from_numpy(GOLDEN[name]).double()


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    error, size = (actual - expected).square().mean(), expected.square().mean()
    return (error / size).sqrt().item()


def test_output_and_every_gradient():
    weights = {k[6:]: tensor(k) for k in GOLDEN if k.startswith('param.')}
    flow_channels, channels = weights['bottleneck.weight'].shape[:2]
    layer = LegacyRepresentationFlow(channels, flow_channels, int(GOLDEN['n_iter']))
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
    with pytest.raises(ValueError, match='the legacy flow layer needs'):
        LegacyRepresentationFlow(8, 4)(torch.rand(shape))
