"""Local correlation of two feature maps, and the displacement where it is highest.

Kwon et al., *MotionSqueeze: Neural Motion Feature Learning for Video Understanding*
(ECCV 2020), section 3.2. A position is compared with every position within `radius` of
it in the next map. All correlations of a clip together would be the largest tensor of a
network; they are computed for a few maps at a time, and again in the backward pass.
"""

from contextlib import nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.checks import check_count
from repflow_mm.ops.maps import check_maps
from repflow_mm.ops.parts import in_parts

# Correlations computed at a time; reading them out takes several times their memory.
_LIMIT = 2**20


def correlate(f1: Tensor, f2: Tensor) -> Tensor:
    """Dot products of each position with its neighbourhood in the second map.

    Args:
        f1 (Tensor): First maps, `(N, C, H, W)`.
        f2 (Tensor): Second maps with a margin of `R` on all four sides,
            `(N, C, H + 2R, W + 2R)`.

    Returns:
        Tensor: `(N, H, W, 2R + 1, 2R + 1)`; the last two dimensions are the
        displacement in y and in x, from `-R`.
    """
    height, width = f1.shape[-2:]
    side = f2.shape[-1] - width + 1
    # Rows first, so that shifting the second map vertically copies nothing.
    rows, others = f1.permute(2, 0, 3, 1).contiguous(), f2.permute(2, 0, 1, 3)
    others = others.contiguous()
    volume = []
    for dy in range(side):
        # A row with all of another row: (H, N, W, W + 2R). Of these, position x needs
        # x to x + 2R: the first columns, once every row is one element longer.
        products = rows @ others[dy : dy + height]
        band = F.pad(products.flatten(2), (0, width)).unflatten(2, (width, -1))
        volume.append(band[..., :side])
    return torch.stack(volume, dim=-2).transpose(0, 1)


def soft_argmax(
    volume: Tensor, sigma: float, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The displacement of the highest correlation, differentiable.

    The mean displacement under a softmax of the correlations, which are first
    multiplied by a Gaussian around the highest one: other matches do not pull the mean
    away from it.

    Args:
        volume (Tensor): From :func:`correlate`.
        sigma (float): Standard deviation of the Gaussian, in pixels.
        temperature (float): Factor on the correlations in the softmax.

    Returns:
        tuple[Tensor, Tensor, Tensor]: `u_x` and `u_y` in pixels, and the highest
        correlation, at least 0; each `(N, H, W)`.
    """
    side = volume.shape[-1]
    scores = volume.flatten(-2).relu()
    confidence, best = scores.max(dim=-1, keepdim=True)
    steps = torch.arange(side, device=volume.device) - side // 2
    far_x, far_y = steps - best % side, steps - best // side
    near_x, near_y = (
        (-0.5 * ((far + side // 2).to(volume) / sigma).square()).exp()
        for far in (far_x, far_y)
    )
    near = (near_y[..., None] * near_x[..., None, :]).flatten(-2)
    weights = (temperature * scores * near).softmax(dim=-1).unflatten(-1, (side, side))
    u_x, u_y = ((weights.sum(dim) * steps.to(volume)).sum(-1) for dim in (-2, -1))
    return u_x, u_y, confidence[..., 0]


def match(
    f1: Tensor,
    f2: Tensor,
    radius: int = 7,
    sigma: float = 5.0,
    temperature: float = 100.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Displacement of each position to where the second map resembles it most.

    Features are compared by the cosine of the angle between them, zero outside the map.
    The memory in addition to inputs, outputs and their gradients does not depend on the
    number of maps, and for large maps only on their width.

    Args:
        f1 (Tensor): First maps, `(N, C, H, W)`.
        f2 (Tensor): Second maps, same shape.
        radius (int): Largest displacement in x and in y, in pixels. Defaults to 7.
        sigma (float): See :func:`soft_argmax`. Defaults to 5.
        temperature (float): See :func:`soft_argmax`. Defaults to 100.

    Returns:
        tuple[Tensor, Tensor, Tensor]: `u_x` and `u_y` in pixels, +x right and +y down,
        and the confidence, the cosine of the best match (0 if all are negative); each
        `(N, 1, H, W)` in the dtype of `f1`. Computed in fp32 (fp64 for fp64) regardless
        of autocast.

    Raises:
        TypeError: If a map is not a floating-point tensor.
        ValueError: If shapes, dtypes or devices disagree.
        InputTypeError: If `radius` is not an integer.
        InputError: If it is negative.
    """
    check_maps(f1, f2)
    check_count('radius', radius, 0)
    readout = sigma, temperature
    height, width = f1.shape[-2:]
    per_row = width * (2 * radius + 1) ** 2
    rows = min(max(_LIMIT // per_row, 1), height)
    maps = max(_LIMIT // (rows * per_row), 1)
    slabs = [
        in_parts(
            partial(_match, slab=slice(y, y + rows), radius=radius, readout=readout),
            maps,
            f1,
            f2,
        )
        for y in range(0, height, rows)
    ]
    u_x, u_y, confidence = (torch.cat(v, -2) for v in zip(*slabs, strict=True))
    return u_x, u_y, confidence


def _match(
    f1: Tensor, f2: Tensor, slab: slice, radius: int, readout: tuple[float, float]
) -> tuple[Tensor, ...]:
    """:func:`match` for a slab of rows of the first maps."""
    dtype = torch.promote_types(f1.dtype, torch.float32)
    # The device 'meta', on which FLOPs are counted, has no autocast.
    kind = f1.device.type
    with nullcontext() if f1.is_meta else torch.autocast(kind, enabled=False):
        reached = slice(slab.start, slab.stop + 2 * radius)
        second = F.pad(f2, (radius,) * 4)[:, :, reached]
        first, second = (
            F.normalize(f.to(dtype), dim=1, eps=1e-6) for f in (f1[:, :, slab], second)
        )
        found = soft_argmax(correlate(first, second), *readout)
    return tuple(value[:, None].to(f1.dtype) for value in found)
