"""Fusion of motion features with the features they were computed from."""

import torch
from torch import Tensor, nn

from repflow_mm.checks import check_choice

FUSIONS = ('none', 'add', 'multiply', 'layer_multiply', 'concat')


class Fusion(nn.Module):
    """Fuse motion with appearance (Fig. 4 and Table 4 of the paper).

    The output always has `C` channels and as many frames as the motion: with `T - 1`
    flows of `T` frames, each flow is paired with the first frame of its pair.

    Args:
        kind (str): `'none'` returns the motion alone; `'add'` and `'multiply'` are
            elementwise; `'layer_multiply'` first applies a 1x1 convolution and batch
            norm to the motion ("Layer + Multiply"); `'concat'` stacks both to `2C`
            channels, and a 1x1 convolution and batch norm reduce them to `C`, as the
            next stage expects.
        channels (int): `C`.

    Shape:
        - `x`: `(N, C, T, H, W)`; `motion`: `(N, C, T', H, W)`, `T' <= T`.
        - Output: `(N, C, T', H, W)`.

    Raises:
        InputError: On an unknown kind.
    """

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        check_choice('fusion', kind, FUSIONS)
        self.kind = kind
        if kind in ('layer_multiply', 'concat'):
            width = 2 * channels if kind == 'concat' else channels
            self.layer = nn.Sequential(
                nn.Conv3d(width, channels, 1, bias=False), nn.BatchNorm3d(channels)
            )

    def forward(self, x: Tensor, motion: Tensor) -> Tensor:
        """Fuse; see the class."""
        if self.kind == 'none':
            return motion
        x = x[:, :, : motion.shape[2]]
        if self.kind == 'add':
            return x + motion
        if self.kind == 'multiply':
            return x * motion
        if self.kind == 'layer_multiply':
            return x * self.layer(motion)
        return self.layer(torch.cat((x, motion), dim=1))

    def extra_repr(self) -> str:
        """Shown by `print(model)`."""
        return repr(self.kind)
