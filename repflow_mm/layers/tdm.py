"""The temporal difference module."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.temporal_difference import depthwise


@register_layer('TDM')
class TDM(BottleneckMotion):
    """A gate per pixel from differences of frames, at three scales.

    Reduced features `r` of a frame are compared with the next and the previous frame,
    `conv(r[t + 1]) - r[t]` and `conv(r[t - 1]) - r[t]`, zero beyond the clip's ends,
    with a depthwise 3x3 convolution. The mean of each difference, a 3x3 convolution of
    it and one of its means over 2x2 pixels is expanded and normalised to `z`. The
    result is `F * a` with `a = sigmoid(z) - 1/2`, averaged over both directions: motion
    selects features instead of replacing them. With `fusion='add'` it is `F + F * a`,
    as published.

    Wang et al., *TDN: Temporal Difference Networks*, CVPR 2021: the long-term module.
    The convolutions of the scales are depthwise here, which keeps a narrow bottleneck,
    and full in the released code.

    Args:
        in_channels (int): Channels in and out, `C`.
        **kwargs: Arguments of :class:`BottleneckMotion`; `flow_channels` defaults
            to `C / 16`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input, under autocast in its dtype.

    Raises:
        InputError: On a wrong value, and in `forward` on a wrong shape or fewer than
            two frames.
    """

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """See :meth:`BottleneckMotion.native_width`."""
        return max(1, in_channels // 16)

    def make_motion(self, channels: int) -> int:
        """Build the norms and convolutions."""
        self.norm = nn.BatchNorm3d(channels)
        self.conv = depthwise(channels)
        self.fine, self.coarse = (
            nn.Sequential(depthwise(channels), nn.BatchNorm3d(channels))
            for _ in range(2)
        )
        return channels

    def motion(self, g: Tensor) -> Tensor:
        """Differences to the next and previous frames, `(2N, C', T or T - 1, H, W)`."""
        r = self.norm(g)
        aligned = self.conv(r)
        after = F.pad(aligned[:, :, 1:] - r[:, :, :-1], (0, 0, 0, 0, 0, 1))
        before = F.pad(aligned[:, :, :-1] - r[:, :, 1:], (0, 0, 0, 0, 1, 0))
        d = torch.cat((after, before))
        if self.temporal == 'valid':
            d = d[:, :, :-1]
        return (d + self.fine(d) + enlarge(self.coarse(halve(d)), d)) / 3

    def features(self, x: Tensor) -> Tensor:
        """See :meth:`MotionLayer.features`."""
        gates = super().features(x).sigmoid() - 0.5
        after, before = gates.tensor_split(2)
        return x[:, :, : gates.shape[2]] * (after + before) / 2

    def reset_parameters(self) -> None:
        """See :meth:`MotionLayer.reset_parameters`."""
        super().reset_parameters()
        # Not as the identity: the two directions of a uniform motion would cancel.
        for module in (self.norm, self.conv, *self.fine, *self.coarse):
            module.reset_parameters()


def halve(x: Tensor) -> Tensor:
    """Means over 2x2 pixels; over fewer at the border of an odd size."""
    size = min(2, x.shape[-2]), min(2, x.shape[-1])
    # In 2D: avg_pool3d has no half precision on the CPU.
    means = F.avg_pool2d(x.flatten(1, 2), size, ceil_mode=True, count_include_pad=False)
    return means.unflatten(1, x.shape[1:3])


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Each pixel as 2x2 pixels, cut to the size of another map."""
    full = x.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
    return full[..., : like.shape[-2], : like.shape[-1]]
