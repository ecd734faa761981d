"""How motion features meet the features they were computed from."""

import torch
from torch import Tensor, nn

from repflow_mm.errors import InputError

FUSIONS = ('none', 'add', 'multiply', 'layer_multiply', 'concat')


class Fusion(nn.Module):
    """Fuse motion with appearance (Fig. 4 and Table 4 of the paper).

    Whatever the kind, channels stay `C` and frames stay those of the motion: with
    `T - 1` flows of `T` frames, each flow meets the first frame of its pair.

    Args:
        kind (str): `'none'` passes the motion on alone; `'add'` and `'multiply'`
            are elementwise; `'layer_multiply'` sends the motion through a 1x1
            convolution and batch norm of its own first ("Layer + Multiply");
            `'concat'` stacks both, `2C`, and a 1x1 convolution and batch norm
            bring them back to `C`, so that the network behind fits.
        channels (int): `C`.

    Shape:
        - `x`: `(N, C, T, H, W)`; `motion`: `(N, C, T', H, W)`, `T' <= T`.
        - Output: `(N, C, T', H, W)`.

    Raises:
        ValueError: On an unknown kind.
    """

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        if kind not in FUSIONS:
            raise InputError(f'fusion must be one of {FUSIONS}, got {kind!r}')
        self.kind = kind
        if kind in ('layer_multiply', 'concat'):
            width = 2 * channels if kind == 'concat' else channels
            self.layer = nn.Sequential(
                nn.Conv3d(width, channels, 1, bias=False), nn.BatchNorm3d(channels)
            )

    def forward(self, x: Tensor, motion: Tensor) -> Tensor:
        """Fuse, see the class."""
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
        """What `print(model)` shows."""
        return repr(self.kind)
