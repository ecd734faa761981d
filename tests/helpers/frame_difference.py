"""A motion layer of ten lines, as someone who uses the package would write it."""

from torch import Tensor, nn

from repflow_mm.layers import BottleneckMotion, register_layer


@register_layer('FrameDifference')
class FrameDifference(BottleneckMotion):
    """The next frame minus this one; a kernel that is learned may smooth it first."""

    def make_motion(self, channels: int, kernel: int = 3) -> int:
        size = 1, kernel, kernel
        self.smooth = nn.Conv3d(channels, channels, size, padding='same', bias=False)
        return channels

    def motion(self, g: Tensor) -> Tensor:
        return self.smooth(g).diff(dim=2)
