"""Differences of shifted feature maps (MFNet)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer

# How the next map is read, (right, down) in pixels of the map.
DIRECTIONS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


@register_layer('MFNet')
class MotionFilter(BottleneckMotion):
    """Differences between a map and the next one, shifted in five directions.

    For each direction `d` of :data:`DIRECTIONS`, `F(p + d, t + 1) - F(p, t)`, zero
    outside the map: where the features move by one pixel along `d`, that difference is
    zero. No flow is computed.

    Lee et al., *Motion Feature Network: Fixed Motion Filter for Action Recognition*
    (ECCV 2018). There the frames come from segments of a video, seconds apart; here
    they are the clip's. The sum of the paper (MFNet-S) is `fusion='add'`, its
    concatenation (MFNet-C) `fusion='concat'`. Where it has batch norm and ReLU within
    the block is not published in detail; here is one batch norm at the end, as in all
    layers.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int, optional): Channels that are shifted, `C'`. Defaults to what
            `budget` gives; the published width is `C / 16`.
        **kwargs: Further arguments of :class:`BottleneckMotion`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input, under autocast in its dtype.

    Raises:
        InputError: On a wrong value, and in `forward` on a wrong shape or fewer
            than two frames.
    """

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """See :meth:`BottleneckMotion.native_width`."""
        return max(in_channels // 16, 1)

    def make_motion(self, channels: int) -> int:
        """See :meth:`BottleneckMotion.make_motion`."""
        return len(DIRECTIONS) * channels

    def motion(self, g: Tensor) -> Tensor:
        """The differences, by direction: `(N, 5C', T - 1, H, W)`."""
        first, second = g[:, :, :-1], g[:, :, 1:]
        shifted = [
            F.pad(second, (-right, right, -down, down)) for right, down in DIRECTIONS
        ]
        return torch.cat([other - first for other in shifted], dim=1)
