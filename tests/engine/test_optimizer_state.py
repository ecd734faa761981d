"""The state of an optimizer whose network was stored in the other memory format."""

import copy

import pytest
import torch
from torch import nn

from repflow_mm.engine.optimizer_state import match_parameters


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.arange(96.0).view(1, 3, 4, 8).sin()).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize('first', [torch.channels_last, torch.contiguous_format])
def test_a_fused_optimizer_goes_on_in_the_other_format(plugin, first):
    from mmengine.optim import OptimWrapper

    (second,) = {torch.channels_last, torch.contiguous_format} - {first}
    torch.manual_seed(0)
    one = nn.Conv2d(3, 4, 3).to(memory_format=first)
    adam = torch.optim.AdamW(one.parameters(), 0.1, fused=True)
    step(one, adam)
    other = copy.deepcopy(one).to(memory_format=second)
    resumed = torch.optim.AdamW(other.parameters(), 0.1, fused=True)
    resumed.load_state_dict(copy.deepcopy(adam.state_dict()))
    match_parameters(OptimWrapper(resumed))
    for model, optimizer in ((one, adam), (other, resumed)):
        step(model, optimizer)
    torch.testing.assert_close(other.weight, one.weight, rtol=1e-5, atol=1e-6)
