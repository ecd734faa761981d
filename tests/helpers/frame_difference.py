"""A ten-line motion layer, as a user of the package would write it."""

from torch import Tensor, nn

from repflow_mm.layers import BottleneckMotion, register_layer


@register_layer('FrameDifference')
class FrameDifference(BottleneckMotion):
    """Difference of the next frame and this one, optionally smoothed by a kernel."""

    def make_motion(self, channels: int, kernel: int = 3) -> int:
        size = 1, kernel, kernel
        self.smooth = nn.Conv3d(channels, channels, size, padding='same', bias=False)
        return channels

    def motion(self, g: Tensor) -> Tensor:
        return self.smooth(g).diff(dim=2)
