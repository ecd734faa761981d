"""Shifts of channels between frames."""

import torch
from torch import Tensor
from torch.nn import functional as F

from repflow_mm.checks import check_count
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.registry import register_layer


@register_layer('Shift')
class Shift(BottleneckMotion):
    """Some channels from the next frame, some from the previous, the rest unchanged.

    A control in comparisons of motion layers: it shows neighbouring frames to the
    layers after it, without comparing them. The temporal shift of TSM (Lin et al., ICCV
    2019) in the bottleneck; beyond the clip's ends it reads zeros.

    Args:
        in_channels (int): Channels in and out, `C`.
        shift_div (int): One channel in `shift_div`, at least one, is taken from the
            next frame and as many from the one before. Defaults to 8.
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

    def make_motion(self, channels: int, shift_div: int = 8) -> int:
        """See :meth:`BottleneckMotion.make_motion`."""
        self.fold = max(1, channels // check_count('shift_div', shift_div))
        return channels

    def motion(self, g: Tensor) -> Tensor:
        """Shifted channels, `(N, C', T or T - 1, H, W)`."""
        ahead, behind, rest = g.tensor_split((self.fold, 2 * self.fold), dim=1)
        ahead = F.pad(ahead[:, :, 1:], (0, 0, 0, 0, 0, 1))
        behind = F.pad(behind[:, :, :-1], (0, 0, 0, 0, 1, 0))
        shifted = torch.cat((ahead, behind, rest), dim=1)
        return shifted if self.temporal == 'same' else shifted[:, :, :-1]
