"""The first convolution of a network pretrained on RGB, for other inputs."""

from torch import Tensor


def for_channels(weight: Tensor, channels: int) -> Tensor:
    """The weight of a convolution on RGB, averaged over RGB and repeated.

    Wang et al., *Temporal Segment Networks* (ECCV 2016), "cross-modality
    pre-training"; the paper does the same.

    Args:
        weight (Tensor): `(C_out, 3, ...)`.
        channels (int): Channels of the new input, such as 2 or 20 of flow.

    Returns:
        Tensor: `(C_out, channels, ...)`, not rescaled; `weight` itself if its input has
        so many channels or is not RGB.
    """
    if weight.shape[1] == channels or weight.shape[1] != 3:
        return weight
    mean = weight.mean(1, keepdim=True)
    return mean.expand(-1, channels, *weight.shape[2:]).contiguous()
