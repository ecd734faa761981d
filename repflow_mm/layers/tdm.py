"""The temporal difference module."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.temporal_difference import next_frame_conv


@register_layer('TDM')
class TDM(BottleneckMotion):
    """A gate per pixel from differences of frames, at three scales.

    Reduced features `r` of neighbouring frames are compared in both directions,
    `conv(r[t + 1]) - r[t]` and `conv(r[t]) - r[t + 1]` with a depthwise 3x3
    convolution; the differences are averaged with their means over 2x2 and 4x4 pixels,
    expanded, and normalised to `z`. The result is `F * a` with `a = sigmoid(z) - 1/2`,
    averaged over both directions: motion selects features instead of replacing them.
    With `fusion='add'`, `F + F * a` as published.

    Wang et al., *TDN: Temporal Difference Networks*, CVPR 2021: the long-term module.
    There, frame `t` is compared with `t + 1` and `t - 1`, and the scales have
    convolutions of their own; here, as for every layer in this place, an output frame
    belongs to the pair `t` and `t + 1`.

    Args:
        in_channels (int): Channels in and out, `C`.
        **bottleneck: Arguments of :class:`BottleneckMotion`; `flow_channels` defaults
            to `C / 16`.

    Shape:
        As for :class:`MotionLayer`.
    """

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """See :meth:`BottleneckMotion.native_width`."""
        return max(1, in_channels // 16)

    def make_motion(self, channels: int) -> int:
        """Build the norm and the convolution."""
        self.norm = nn.BatchNorm3d(channels)
        self.conv = next_frame_conv(channels)
        return channels

    def motion(self, g: Tensor) -> Tensor:
        """Differences in both directions, `(2N, C', T - 1, H, W)`: next first."""
        r = self.norm(g)
        aligned = self.conv(r)
        after, before = aligned[:, :, 1:], aligned[:, :, :-1]
        d = torch.cat((after - r[:, :, :-1], before - r[:, :, 1:]))
        return (d + coarse(d, 2) + coarse(d, 4)) / 3

    def features(self, x: Tensor) -> Tensor:
        """See :meth:`MotionLayer.features`."""
        gates = super().features(x).sigmoid() - 0.5
        after, before = gates.tensor_split(2)
        return x[:, :, : gates.shape[2]] * (after + before) / 2

    def reset_parameters(self) -> None:
        """See :meth:`MotionLayer.reset_parameters`."""
        super().reset_parameters()
        self.norm.reset_parameters()
        nn.init.dirac_(self.conv.weight, self.conv.groups)


def coarse(x: Tensor, size: int) -> Tensor:
    """Means over squares of `size` pixels, smaller ones at the border, at full size."""
    height, width = x.shape[-2:]
    square = min(size, height), min(size, width)
    # In 2D: avg_pool3d has no half precision on the CPU.
    means = F.avg_pool2d(
        x.flatten(1, 2), square, ceil_mode=True, count_include_pad=False
    )
    for dim in (-2, -1):
        means = means.repeat_interleave(square[dim], dim=dim)
    return means[..., :height, :width].unflatten(1, x.shape[1:3])
