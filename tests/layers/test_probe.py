"""Places that a layer can be inserted at, found by running the network."""

import pytest
import torch
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.layers import add_motion
from tests.layers.test_splice import FLOW, FRAMES, Cnn


def test_containers_that_call_whatever_they_hold():
    with pytest.raises(InputError, match="Stages calls each .* in that, 'body.layer2'"):
        add_motion(Stages(dict(layer1=nn.Conv2d(3, 4, 3))), 'layer1', frames=4, **FLOW)
    model = nn.Sequential(Stages(dict(layer1=nn.Conv2d(3, 4, 3))))
    add_motion(model, '0.layer1', frames=4, **FLOW)
    assert model(FRAMES).shape[1] == 4
    with pytest.raises(InputError, match='compiled: insert the layer before'):
        add_motion(torch.compile(Cnn()), '_orig_mod.layer1', frames=4, **FLOW)


class Stages(nn.ModuleDict):
    """As those of timm with `features_only`, and torchvision's feature getters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.values():
            x = stage(x)
        return x


class Reused(Cnn):
    """As the blocks of a ResNet, which have one activation for two places."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(self.relu(x)) + self.relu(x).mean()


def test_a_module_for_two_places():
    with pytest.raises(InputError, match="Reused calls .* 'relu' more than once in a"):
        add_motion(Reused(), 'relu', frames=4, **FLOW)
    add_motion(Reused(), 'layer1.2', frames=4, **FLOW)


def test_why_a_network_does_not_run_on_a_small_clip():
    class Picky(Cnn):
        def forward(self, x):
            assert x.dim() == 4, 'not a picture'
            raise ValueError(f'I need 256 pixels, not {x.shape[-1]}')

    with pytest.raises(InputError, match=r'\(I need 256 pixels, not 96\)'):
        add_motion(Picky(), 'layer1', **FLOW)


def test_a_network_whose_shapes_are_not_known_yet():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU())
    with pytest.raises(InputError, match='first pass will shape: run it once first'):
        add_motion(model, '1', frames=4, **FLOW)
    model(FRAMES)
    assert add_motion(model, '0', frames=4, **FLOW)(FRAMES).shape[1] == 4


def test_a_place_before_all_convolutions_of_a_network_that_fails_later():
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start, self.conv = nn.Identity(), nn.Conv2d(3, 4, 3)

        def forward(self, x):
            self.conv(self.start(x))
            raise ValueError('a head of another size')

    with pytest.raises(InputError, match='Late works frame by frame: set frames'):
        add_motion(Late(), 'start', frames=None, **FLOW)
