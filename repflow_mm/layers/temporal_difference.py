"""Differences of neighbouring frames: the least that a motion layer can compute."""

from torch import Tensor, nn

from repflow_mm.checks import check_flag
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer


@register_layer('TemporalDifference')
class TemporalDifference(BottleneckMotion):
    """The difference of the next frame and this one: `G[t + 1] - G[t]`.

    The control of a comparison of motion layers: a flow that does not do better has
    added nothing. With `conv`, the motion of STM (Jiang et al., ICCV 2019) and TEA (Li
    et al., CVPR 2020): a depthwise 3x3 convolution of the next frame first, which can
    align it. TEA pools the result to one gate per channel; here it stays a map.

    Args:
        in_channels (int): Channels in and out, `C`.
        conv (bool): Whether to convolve the next frame; starts as the identity.
            Defaults to False.
        **kwargs: Further arguments of :class:`BottleneckMotion`; `flow_channels`
            defaults to 32.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input, under autocast in its dtype.

    Raises:
        InputError: On a wrong value, and in `forward` on a wrong shape or fewer than
            two frames.
    """

    conv: nn.Module

    def make_motion(self, channels: int, conv: bool = False) -> int:
        """Build the convolution."""
        check_flag('conv', conv)
        self.conv = depthwise(channels) if conv else nn.Identity()
        return channels

    def motion(self, g: Tensor) -> Tensor:
        """See the class."""
        return self.conv(g[:, :, 1:]) - g[:, :, :-1]

    def reset_parameters(self) -> None:
        """See :meth:`MotionLayer.reset_parameters`."""
        super().reset_parameters()
        if isinstance(self.conv, nn.Conv3d):
            nn.init.dirac_(self.conv.weight, self.conv.groups)


def depthwise(channels: int, size: int = 3) -> nn.Conv3d:
    """A depthwise convolution, frame by frame."""
    kernel, padding = (1, size, size), (0, size // 2, size // 2)
    return nn.Conv3d(
        channels, channels, kernel, padding=padding, groups=channels, bias=False
    )
