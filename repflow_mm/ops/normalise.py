"""The range of a clip, before the solver."""

import torch
from torch import Tensor


def normalise_clip(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Scale each clip to [0, 255] by its own minimum and maximum.

    The range is that of one clip, over all channels and frames. The authors' code uses
    the whole batch, which makes a prediction depend on the other clips.

    Args:
        x (Tensor): `(N, C, T, H, W)`.
        eps (float): A clip whose range is below `eps` times its largest magnitude
            counts as constant, so that rounding noise is not scaled up to 255.

    Returns:
        Tensor: Same shape and dtype, in [0, 255]. Zero, with zero gradient, for
        a constant clip.
    """
    dims = (1, 2, 3, 4)
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    span = high - low
    constant = span <= eps * torch.maximum(low.abs(), high.abs()) + 1e-12
    # Divide first: the derivative of 255 / span underflows for a large span.
    return (x - low) / span.masked_fill(constant, torch.inf) * 255
