"""TV-L1 of grey frames, inside a network."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError
from repflow_mm.layers.base import BottleneckMotion
from repflow_mm.layers.grey import MEAN, STD, Grey
from repflow_mm.layers.pairs import of_pairs
from repflow_mm.layers.registry import register_layer
from repflow_mm.ops import representation_flow, sobel_kernels
from repflow_mm.ops.tvl1.coarse_to_fine import coarse_to_fine, initial_filters


@register_layer('PixelFlow')
class PixelFlow(BottleneckMotion):
    """Optical flow of the grey frames, as a flow network gets it; not learned.

    After the input (`after='input'`), this is a flow stream without precomputed flow:
    the frames become their luminance, TV-L1 with its usual parameters finds the flow,
    and a 1x1 convolution with batch norm turns its two channels into three, so that the
    rest of the network stays as it is. (That convolution and the network's first form
    one linear map, which sees what a first convolution on two channels would.) After
    another stage, the mean of the channels takes the place of the luminance.

    On a single scale, it finds motion of a pixel or two per frame; `scales` and `warps`
    extend that, at a cost.

    Zach et al., *A Duality Based Approach for Realtime TV-L1 Optical Flow* (2007).

    Args:
        in_channels (int): Channels in and out, `C`: 3 for RGB.
        n_iters (int): Iterations, per warp. Defaults to 40.
        warps (int): Times that the second frame is warped by the flow found so far, per
            scale. Defaults to 1.
        scales (int): Levels of the pyramid, each half as large. Defaults to 1.
        mean (Sequence[float]): What the data preprocessor subtracted from R, G and B,
            see :class:`Grey`.
        std (Sequence[float]): What it divided by.
        **kwargs: `fusion`, `temporal` and `zero_init_residual`, see
            :class:`BottleneckMotion`. It has one grey map, so no width or budget.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `temporal='same'`, in
          the dtype of the input. The flow is computed in fp32 (fp64 for fp64)
          regardless of autocast.

    Raises:
        InputError: On a wrong value, and in `forward` on a
            wrong shape, fewer than two frames, or maps too small for `scales`.
    """

    def make_motion(
        self,
        channels: int,
        n_iters: int = 40,
        warps: int = 1,
        scales: int = 1,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> int:
        """See :meth:`BottleneckMotion.make_motion`."""
        if channels != 1:
            raise InputError(
                'PixelFlow has one grey map: remove flow_channels and budget'
            )
        self.reduce = Grey(self.in_channels, mean, std)
        self.scales = check_count('scales', scales)
        self.warps = check_count('warps', warps)
        self._n_iters = check_count('n_iters', n_iters)
        return 2

    @classmethod
    def native_width(cls, in_channels: int) -> int:
        """One grey map."""
        return 1

    @classmethod
    def options(cls) -> set[str]:
        """See :meth:`MotionLayer.options`."""
        return super().options() - {'flow_channels', 'budget'}

    @property
    def n_iters(self) -> int:
        """Number of iterations per warp."""
        return self._n_iters

    def motion(self, g: Tensor) -> Tensor:
        """The flow of the grey maps, x then y: `(N, 2, T - 1, H, W)`."""
        return torch.cat(self._solve(g), dim=1).to(self.expand.weight.dtype)

    def flow(self, x: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`MotionLayer.flow`."""
        u_x, u_y = self._solve(self.reduce(x), n_iters)
        return u_x.to(x.dtype), u_y.to(x.dtype)

    def _solve(self, g: Tensor, n_iters: int | None = None) -> tuple[Tensor, ...]:
        if n_iters is None:
            n_iters = self.n_iters
        check_count('n_iters', n_iters)
        return flow_of_grey(g, n_iters, self.warps, self.scales)


def flow_of_grey(
    grey: Tensor, n_iters: int = 40, warps: int = 1, scales: int = 1
) -> tuple[Tensor, ...]:
    """TV-L1 of neighbouring grey frames.

    Args:
        grey (Tensor): `(N, 1, T, H, W)`, in [0, 255].
        n_iters (int): Iterations, per warp. Defaults to 40.
        warps (int): Warps per scale. Defaults to 1.
        scales (int): Levels of the pyramid. Defaults to 1.

    Returns:
        tuple[Tensor, Tensor]: `(u_x, u_y)`, each `(N, 1, T - 1, H, W)`, in pixels.

    Raises:
        InputError: If the frames are too small for so many scales.
    """
    if scales == warps == 1:
        return of_pairs(partial(representation_flow, n_iters=n_iters), grey)
    filters = initial_filters(n_iters, warps, scales)
    solve = partial(coarse_to_fine, filters=filters, kernels=sobel_kernels())
    return of_pairs(solve, grey)
