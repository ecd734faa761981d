"""The representation flow layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.tvl1 import TVL1

TEMPORAL = ('valid', 'same')


class RepresentationFlow(nn.Module):
    """Motion of feature maps, as a layer (Fig. 3 of the paper).

    Reduce the channels by a 1x1 convolution, normalise each clip to [0, 255],
    solve TV-L1 for every pair of neighbouring frames and every channel by
    itself, stack x- and y-flow, expand by a 1x1 convolution, batch norm.

    Piergiovanni & Ryoo, *Representation Flow for Action Recognition*, CVPR
    2019, section 3.2. Departures are listed in `docs/fidelity.md`.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int): Channels the flow is computed on, `C'`.
            Defaults to 32.
        n_iters (int): TV-L1 iterations. Defaults to 20.
        learn (Sequence[str]): What the solver learns, any of `'div'`, `'tau'`,
            `'lam'`, `'theta'`, `'sobel'`. Defaults to the first four, the best
            row of Table 2.
        fusion (str): How motion meets the features it was computed from, see
            :class:`Fusion`: `'none'` (the paper's choice), `'add'`, `'multiply'`,
            `'layer_multiply'` or `'concat'`. Defaults to `'none'`.
        temporal (str): `'valid'` gives `T - 1` frames; `'same'` gives `T` by
            showing the last motion twice. Defaults to `'valid'`.
        zero_init_residual (bool): With `fusion='add'`, start the last batch
            norm at zero, so that the layer starts as the identity (but for the
            last frame, which `'valid'` drops) and a pretrained network keeps its
            predictions. Defaults to True.
        **solver: Start values and options of :class:`TVL1`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `'same'`, in
          the dtype of the input. The normalisation and the solver run in fp32
          (fp64 for fp64) whatever autocast says.

    Raises:
        TypeError: If `in_channels` or `flow_channels` is not an integer.
        ValueError: On an unknown option, and in `forward` on a wrong shape or
            fewer than two frames.
    """

    def __init__(
        self,
        in_channels: int,
        flow_channels: int = 32,
        n_iters: int = 20,
        learn: Sequence[str] = ('div', 'tau', 'lam', 'theta'),
        fusion: str = 'none',
        temporal: str = 'valid',
        zero_init_residual: bool = True,
        **solver,
    ) -> None:
        super().__init__()
        for name, value in (
            ('in_channels', in_channels),
            ('flow_channels', flow_channels),
        ):
            if not isinstance(value, int):
                raise TypeError(f'{name} must be an int, got {value!r}')
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        check_choice('temporal', temporal, TEMPORAL)
        self.in_channels = in_channels
        self.temporal = temporal
        self.reduce = nn.Conv3d(in_channels, flow_channels, 1, bias=False)
        self.solver = TVL1(n_iters, learn, **solver)
        self.expand = nn.Conv3d(2 * flow_channels, in_channels, 1, bias=False)
        self.bn = nn.BatchNorm3d(in_channels)
        self.fuse = Fusion(fusion, in_channels)
        self.zero_init_residual = zero_init_residual
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start values of every learned weight but the solver's."""
        for conv in (self.reduce, self.expand):
            nn.init.kaiming_normal_(conv.weight, mode='fan_out')
        self.bn.reset_parameters()
        if self.fuse.kind == 'add' and self.zero_init_residual:
            nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Motion features of a clip, see the class."""
        check_clip(x, self.in_channels, 2, 'representation flow')
        u_x, u_y = self.flow(x)
        motion = self.bn(self.expand(torch.cat((u_x, u_y), dim=1)))
        if self.temporal == 'same':
            # The last frame has no successor; a zero there would say that the
            # motion stops.
            motion = torch.cat((motion, motion[:, :, -1:]), dim=2)
        return self.fuse(x, motion)

    def flow(self, x: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        """The flow itself, for pictures and analysis.

        Args:
            x (Tensor): Features `(N, C, T, H, W)`, `T >= 2`.
            n_iters (int, optional): Stop after so many iterations, to see how the
                estimate comes about. Defaults to the layer's.

        Returns:
            tuple[Tensor, Tensor]: `(u_x, u_y)`, each `(N, C', T - 1, H, W)`, in
            pixels of the feature map, +x right and +y down.
        """
        x = self.reduce(x)
        n, c, t, h, w = x.shape
        full = x.to(torch.promote_types(x.dtype, torch.float32))
        frames = normalise_clip(full).transpose(1, 2)  # the op takes (N, C, H, W)
        f1 = frames[:, :-1].reshape(n * (t - 1), c, h, w)
        f2 = frames[:, 1:].reshape(n * (t - 1), c, h, w)
        u_x, u_y = (
            u.view(n, t - 1, c, h, w).transpose(1, 2)
            for u in self.solver(f1, f2, n_iters)
        )
        return u_x.to(x.dtype), u_y.to(x.dtype)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, got {value!r}')


def check_clip(x: Tensor, channels: int, frames: int, what: str) -> None:
    """Raise `ValueError` unless `x` is `(N, channels, T >= frames, H, W)`."""
    if x.dim() != 5:
        raise ValueError(
            f'{what} needs features (N, C, T, H, W), got shape {tuple(x.shape)}'
        )
    if x.shape[1] != channels:
        raise ValueError(
            f'{what} was built for {channels} channels and got {x.shape[1]}: set '
            f'in_channels={x.shape[1]}'
        )
    if x.shape[2] < frames:
        raise ValueError(
            f'{what} compares neighbouring frames and got a clip of {x.shape[2]}: '
            f'sample at least {frames} frames (clip_len >= {frames})'
        )


def normalise_clip(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Scale each clip to [0, 255] by its own minimum and maximum.

    The scope is one clip, all its channels and frames: the authors' code takes
    the whole batch, and a prediction then depends on its neighbours.

    Args:
        x (Tensor): `(N, C, T, H, W)`.
        eps (float): A clip that spans less than `eps` times its largest
            magnitude is constant: rounding noise must not be blown up to 255.

    Returns:
        Tensor: Same shape and dtype, in [0, 255]. Zero, with zero gradient, for
        a constant clip.
    """
    dims = (1, 2, 3, 4)
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    span = high - low
    constant = span <= eps * torch.maximum(low.abs(), high.abs()) + 1e-12
    # Divided first: the slope of 255 / span underflows where the span is large.
    return (x - low) / span.masked_fill(constant, torch.inf) * 255
