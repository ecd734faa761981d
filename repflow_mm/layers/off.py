"""Optical flow guided features."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repflow_mm.checks import check_choice, check_number
from repflow_mm.errors import InputError
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer
from repflow_mm.ops import sobel_kernels

# Right minus left and top minus bottom in one filter: half of it is the derivative per
# pixel to the right minus that downwards.
_DIAGONAL = ((0.0, 0.5, 0.0), (-0.5, 0.0, 0.5), (0.0, -0.5, 0.0))
SPATIAL = ('sobel', 'diagonal')


@register_layer('OFF')
class OFF(BottleneckMotion):
    """Optical flow guided features: derivatives in space and time, without a solver.

    Brightness constancy of features `f` reads `f_x v_x + f_y v_y + f_t = 0`: the
    derivatives `(f_x, f_y, f_t)` are orthogonal to the motion `(v_x, v_y, 1)`, and the
    layers after it can use them without solving for it. `f_t` is the difference of
    rectified features, the spatial derivatives are fixed filters on a fourth as many
    maps of their own (128 and 32 in the publication).

    Sun et al., *Optical Flow Guided Feature*, CVPR 2018. Only their unit: the networks
    that collect the units of several stages, with a loss each, do not fit after one
    stage. The released code takes the spatial derivatives of other clips' frames in
    training, since it drops the last frames of the batch rather than of each clip; here
    both derivatives are of the same pair.

    Args:
        in_channels (int): Channels in and out, `C`.
        spatial (str): `'sobel'`, derivatives in x and y as in the paper, or
            `'diagonal'`, the one filter of the released code: the derivative in x minus
            that in y. The border is replicated. Defaults to `'sobel'`.
        dropout (float): Probability of dropping a spatial derivative in training; 0.8
            in the publication, which freezes the base network. Defaults to 0.
        **kwargs: Further arguments of :class:`BottleneckMotion`; `flow_channels`,
            the maps with a derivative in time, defaults to 128.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input, under autocast in its dtype.

    Raises:
        InputError: On a wrong value, and in `forward` on a wrong shape or fewer than
            two frames.
    """

    kernels: Tensor

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """See :meth:`BottleneckMotion.native_width`."""
        return 128

    @classmethod
    def reduced_width(cls, channels: int, spatial: str = 'sobel', **motion) -> int:
        """See :meth:`BottleneckMotion.reduced_width`."""
        check_choice('spatial', spatial, SPATIAL)
        return channels + max(1, round(channels / (8 if spatial == 'sobel' else 4)))

    def make_motion(
        self, channels: int, spatial: str = 'sobel', dropout: float = 0.0
    ) -> int:
        """Build the spatial filters."""
        if not 0 <= check_number('dropout', dropout) < 1:
            raise InputError(f'dropout must be in [0, 1), got {dropout}')
        maps = self.reduced_width(channels, spatial) - channels
        self.sobel = spatial == 'sobel'
        self.spatial_maps = maps
        self.register_buffer('kernels', self._filters(), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.temporal_maps = channels
        return channels + len(self.kernels)

    def _filters(self) -> Tensor:
        kernels = sobel_kernels() if self.sobel else torch.tensor((_DIAGONAL,))
        return kernels[:, None, None].repeat(self.spatial_maps, 1, 1, 1, 1)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Fill the filters when they leave the meta device: no state dict has them."""
        empty = self.kernels.is_meta
        super()._apply(fn, recurse)
        if empty and not self.kernels.is_meta:
            self._fill()
        return self

    def reset_parameters(self) -> None:
        """See :meth:`MotionLayer.reset_parameters`; the filters, too."""
        super().reset_parameters()
        self._fill()

    def _fill(self) -> None:
        with self.kernels.device:
            self.kernels.copy_(self._filters())

    def motion(self, g: Tensor) -> Tensor:
        """`f_t`, then the spatial derivatives (of each map `f_x`, `f_y`) of `t`."""
        f, s = g[:, : self.temporal_maps], g[:, self.temporal_maps :, :-1]
        padded = F.pad(s, (1, 1, 1, 1, 0, 0), mode='replicate')
        slopes = F.conv3d(padded, self.kernels, groups=s.shape[1])
        return torch.cat((f.relu().diff(dim=2), self.dropout(slopes)), dim=1)
