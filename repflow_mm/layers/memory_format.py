"""Channels-last: faster convolutions on many CPUs and in half precision."""

import torch
from torch import Tensor, nn

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


def laid_out_like(maps: Tensor, x: Tensor) -> Tensor:
    """Lay maps out channels-last if the features they come from are.

    A solver returns one map after the other. A 1x1 convolution hands its input's format
    on, so that all its channels would have to be rearranged for the next convolution:
    8 to 32 times as many as the maps have.

    Args:
        maps (Tensor): `(N, M, T', H, W)`.
        x (Tensor): `(N, C, T, H, W)`.

    Returns:
        Tensor: `maps`, or a copy with the same values.
    """
    if x.stride(1) == 1 and not x.is_contiguous():  # vmap can ask no more
        return maps.contiguous(memory_format=torch.channels_last_3d)
    return maps
