"""Channels-last weights: faster convolutions on many CPUs and in half precision."""

import torch
from torch import nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def to_channels_last(model: nn.Module) -> nn.Module:
    """Store weights of 2D and 3D convolutions channels-last, in place.

    `model.to(memory_format=...)` converts either 2D or 3D weights and refuses a network
    that has both, such as a 2D CNN with a motion layer. Inputs need no conversion: the
    first convolution hands the format on.

    Args:
        model (nn.Module): The network.

    Returns:
        nn.Module: The same network; its outputs differ by rounding alone.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if (wanted := _FORMATS.get(parameter.dim())) is not None:
                parameter.data = parameter.data.contiguous(memory_format=wanted)
    return model
