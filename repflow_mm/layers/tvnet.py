"""TV-L1 whose filters are learned for each iteration (TVNet)."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repflow_mm.checks import check_choice, check_count, check_flag, check_number
from repflow_mm.errors import InputError
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.grey import MEAN, STD, Grey
from repflow_mm.layers.pairs import of_pairs
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.tvl1 import WEIGHT_RANGE, clamped
from repflow_mm.ops import sobel_kernels
from repflow_mm.ops.normalise import normalise_clip
from repflow_mm.ops.tvl1.coarse_to_fine import coarse_to_fine, initial_filters

_CENTRAL = ((0.0, 0.0, 0.0), (-0.5, 0.0, 0.5), (0.0, 0.0, 0.0))
_SMOOTHING = 0.8  # pixels, standard deviation


@register_layer('TVNet')
class TVNet(BottleneckMotion):
    """Optical flow by TV-L1 iterations with learned filters.

    As in `RepFlow`, TV-L1 is unrolled. What differs: not the scalars `tau`, `lam` and
    `theta` are learned, but the filters of the divergence and of the flow's gradient,
    and each iteration has its own (16 numbers).

    By default, flow is computed on reduced features, for comparison with `RepFlow` in
    the same place. `grey=True` is the published layer, to be put after the input: the
    luminance of the frames, smoothed, each pair scaled to [0, 255], gives one flow, and
    a 1x1 convolution with batch norm turns its two channels into `C`. The paper stacks
    ten of these flows, and can learn the initial flow of a fixed image size; these are
    left out.

    Fan et al., *End-to-End Learning of Motion Representation for Video Understanding*
    (CVPR 2018).

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int, optional): Channels that the flow is computed on, `C'`.
            Defaults to what `budget` gives, 1 for `grey=True`.
        grey (bool): Whether to compute the flow of one grey map. Defaults to False.
        n_iters (int): Iterations, per warp. Defaults to 20.
        warps (int): Times that the second map is warped by the flow found so far, per
            scale. Defaults to 1.
        scales (int): Levels of the pyramid, each half as large. Defaults to 1.
        shared (bool): Whether all iterations have the same filters. Defaults to False.
        learn (bool): Whether the filters are learned. Defaults to True.
        image_grad (str): Derivative of the second map: `'central'` differences, as in
            the paper, or `'sobel'`, as in `RepFlow`. Defaults to `'central'`.
        tau (float): Time step. Defaults to 0.25.
        lam (float): Weight of the data term. Defaults to 0.15.
        theta (float): Tightness of the coupling. Defaults to 0.3.
        mean (Sequence[float]): With `grey`, what the data preprocessor subtracted from
            R, G and B, see :class:`Grey`.
        std (Sequence[float]): What it divided by.
        **kwargs: `fusion`, `temporal`, `zero_init_residual` and `budget`, see
            :class:`BottleneckMotion`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input. The flow is computed in fp32 (fp64 for fp64)
          regardless of autocast.

    Raises:
        InputError: On a wrong value, and in `forward` on a
            wrong shape, fewer than two frames, or maps too small for `scales`.
    """

    def __init__(
        self,
        in_channels: int,
        flow_channels: int | None = None,
        *args,
        grey: bool = False,
        **kwargs,
    ) -> None:
        check_flag('grey', grey)
        if grey:
            if (
                flow_channels not in (None, 1)
                or kwargs.get('budget', 'native') != 'native'
            ):
                raise InputError(
                    'TVNet has one map with grey=True: remove flow_channels and budget'
                )
            flow_channels = 1
        super().__init__(in_channels, flow_channels, *args, grey=grey, **kwargs)

    def make_motion(
        self,
        channels: int,
        grey: bool = False,
        n_iters: int = 20,
        warps: int = 1,
        scales: int = 1,
        shared: bool = False,
        learn: bool = True,
        image_grad: str = 'central',
        tau: float = 0.25,
        lam: float = 0.15,
        theta: float = 0.3,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> int:
        """See :meth:`BottleneckMotion.make_motion`."""
        self.grey = grey
        if grey:
            self.reduce = Grey(self.in_channels, mean, std)
        self.solver = FilteredTVL1(
            n_iters, warps, scales, shared, learn, image_grad, tau, lam, theta
        )
        return 2 * channels

    def motion(self, g: Tensor) -> Tensor:
        """The flow of each channel, all x, then all y: `(N, 2C', T - 1, H, W)`."""
        return torch.cat(self._solve(g), dim=1).to(self.expand.weight.dtype)

    def flow(self, x: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`MotionLayer.flow`; at most the layer's iterations.

        With `shared=True`, any number.
        """
        u_x, u_y = self._solve(self.reduce(x), n_iters)
        return u_x.to(x.dtype), u_y.to(x.dtype)

    def slow_parameters(self) -> list[nn.Parameter]:
        """The filters, see :meth:`MotionLayer.slow_parameters`."""
        return list(self.solver.parameters())

    @property
    def n_iters(self) -> int:
        """Number of iterations per warp."""
        return self.solver.n_iters

    def _solve(self, g: Tensor, n_iters: int | None = None) -> tuple[Tensor, ...]:
        full = g.to(torch.promote_types(g.dtype, torch.float32))
        if not self.grey:
            return of_pairs(partial(self.solver, n_iters=n_iters), normalise_clip(full))

        def solve(f1: Tensor, f2: Tensor) -> tuple[Tensor, Tensor]:
            f1, f2 = normalise_clip(torch.stack((f1, f2), dim=2)).unbind(2)
            return self.solver(_smooth(f1), _smooth(f2), n_iters)

        return of_pairs(solve, full)


class FilteredTVL1(nn.Module):
    """TV-L1 iterations with filters that may differ between them.

    The learned filters are clamped before use, with a straight-through gradient, to
    where the gradients of all iterations stay finite.

    Args: see :class:`TVNet`.

    Shape:
        - Input: two maps `(N, C, H, W)` with values in [0, 255].
        - Output: `(u_x, u_y)`, each `(N, C, H, W)`, flow in pixels.
    """

    filters: Tensor

    def __init__(
        self,
        n_iters: int,
        warps: int,
        scales: int,
        shared: bool,
        learn: bool,
        image_grad: str,
        tau: float,
        lam: float,
        theta: float,
    ) -> None:
        super().__init__()
        check_flag('shared', shared)
        check_flag('learn', learn)
        check_choice('image_grad', image_grad, ('central', 'sobel'))
        for name, value in (('tau', tau), ('lam', lam), ('theta', theta)):
            if not 0 < check_number(name, value) < float('inf'):
                raise InputError(f'{name} must be above 0 and finite, got {value}')
        self.n_iters = check_count('n_iters', n_iters)
        self.warps = check_count('warps', warps)
        self.scales = check_count('scales', scales)
        self.shared, self.image_grad = shared, image_grad
        self.scalars = dict(tau=tau, lam=lam, theta=theta)
        filters = self._start()
        if learn:
            self.filters = nn.Parameter(filters)
        else:
            self.register_buffer('filters', filters)
        # As for the weights of TVL1: where the maps are flat, a step multiplies
        # gradients by at most 8 tau w^2 - 1.
        growth = 10 ** (20 / (n_iters * warps * scales))
        self._largest = min(((growth + 1) / (8 * tau)) ** 0.5, WEIGHT_RANGE[1])

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set the filters to their initial values."""
        with self.filters.device:
            self.filters.copy_(self._start())

    def _start(self) -> Tensor:
        steps = (self.n_iters, self.warps, self.scales)
        return initial_filters(*((1, 1, 1) if self.shared else steps))

    def forward(
        self, f1: Tensor, f2: Tensor, n_iters: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Flow from `f1` to `f2`, after the first `n_iters` iterations of each warp.

        There are no more than were learned, unless all share their filters.
        """
        if n_iters is not None:
            check_count('n_iters', n_iters)
        filters = clamped(self.filters, -self._largest, self._largest)
        if self.shared:
            count = n_iters or self.n_iters
            filters = filters.expand(self.scales, self.warps, count, 2, 2, 2, 2)
        if self.image_grad == 'sobel':
            kernels = sobel_kernels()
        else:
            kernel = torch.tensor(_CENTRAL)
            kernels = torch.stack((kernel, kernel.T))
        return coarse_to_fine(f1, f2, filters[:, :, :n_iters], kernels, **self.scalars)

    def extra_repr(self) -> str:
        """Shown by `print(model)`."""
        return (
            f'n_iters={self.n_iters}, warps={self.warps}, scales={self.scales}, '
            f'shared={self.shared}, image_grad={self.image_grad!r}'
        )


def _smooth(f: Tensor) -> Tensor:
    """Maps `(N, C, H, W)` blurred by a Gaussian of 5x5 pixels; borders replicated."""
    weights = torch.arange(-2, 3, device=f.device).to(f)
    weights = (-0.5 * (weights / _SMOOTHING).square()).exp()
    weights = weights / weights.sum()
    height, width = f.shape[-2:]
    padded = F.pad(f, (2, 2, 2, 2), mode='replicate')
    # Not a convolution, where autocast and TF32 would round.
    rows = sum(w * padded[..., i : i + height, :] for i, w in enumerate(weights))
    return sum(w * rows[..., i : i + width] for i, w in enumerate(weights))
