"""The representation flow layer."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from repflow_mm.layers.base import BottleneckMotion, named_arguments
from repflow_mm.layers.pairs import of_pairs
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.tvl1 import TVL1
from repflow_mm.ops.normalise import normalise_clip


@register_layer('RepFlow')
class RepresentationFlow(BottleneckMotion):
    """Motion of feature maps, as a layer (Fig. 3 of the paper).

    Reduce the channels by a 1x1 convolution, normalise each clip to [0, 255], solve
    TV-L1 independently for every pair of neighbouring frames and every channel, stack
    x and y flow, expand by a 1x1 convolution, batch norm.

    Piergiovanni & Ryoo, *Representation Flow for Action Recognition*, CVPR
    2019, section 3.2. Departures are listed in `docs/fidelity.md`.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int, optional): Channels the flow is computed on, `C'`.
            Defaults to 32.
        n_iters (int): TV-L1 iterations. Defaults to 20.
        learn (Sequence[str]): Learned parameters of the solver, any of `'div'`,
            `'tau'`, `'lam'`, `'theta'`, `'sobel'`. Defaults to the first four, the
            best row of Table 2.
        fusion (str): How motion is combined with the features it was computed from,
            see :class:`Fusion`: `'none'` (the paper's choice), `'add'`,
            `'multiply'`, `'layer_multiply'` or `'concat'`. Defaults to `'none'`.
        temporal (str): `'valid'` returns `T - 1` frames; `'same'` returns `T` by
            repeating the last motion. Defaults to `'valid'`.
        zero_init_residual (bool): With `fusion='add'`, initialize the last batch
            norm to zero, so that the layer starts as the identity (except for the
            last frame, which `'valid'` drops) and a pretrained network keeps its
            predictions. Defaults to True.
        **solver: Initial values and options of :class:`TVL1`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`.
        - Output: `(N, C, T - 1, H, W)`, or `(N, C, T, H, W)` for `'same'`, in
          the dtype of the input. The normalisation and the solver run in fp32
          (fp64 for fp64) regardless of autocast.

    Raises:
        InputTypeError: If `in_channels` or `flow_channels` is not an integer.
        InputError: On a wrong value, and in `forward` on a wrong shape or
            fewer than two frames.
    """

    def __init__(
        self,
        in_channels: int,
        flow_channels: int | None = None,
        n_iters: int = 20,
        learn: Sequence[str] = ('div', 'tau', 'lam', 'theta'),
        fusion: str = 'none',
        temporal: str = 'valid',
        zero_init_residual: bool = True,
        **solver,
    ) -> None:
        super().__init__(
            in_channels,
            flow_channels,
            fusion,
            temporal,
            zero_init_residual,
            n_iters=n_iters,
            learn=learn,
            **solver,
        )

    def make_motion(self, channels: int, **solver) -> int:
        """Build the solver; its flow has two components per channel."""
        self.solver = TVL1(**solver)
        return 2 * channels

    def motion(self, g: Tensor) -> Tensor:
        """The flow of each channel, all x, then all y: `(N, 2C', T - 1, H, W)`."""
        return torch.cat(self._solve(g), dim=1)

    def flow(self, x: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`MotionLayer.flow`."""
        return self._solve(self.reduce(x), n_iters)

    def log_scalars(self) -> dict[str, Tensor]:
        """The solver's parameters, clamped as the iterations use them."""
        used = self.solver.bounded()
        scalars = {name: used[name] for name in ('tau', 'lam', 'theta')}
        for name in ('div_x', 'div_y'):
            scalars[f'{name}_0'], scalars[f'{name}_1'] = used[name]
        return scalars

    def slow_parameters(self) -> list[nn.Parameter]:
        """The solver's parameters, see :meth:`MotionLayer.slow_parameters`."""
        return list(self.solver.parameters())

    @property
    def n_iters(self) -> int:
        """Number of iterations of the solver."""
        return self.solver.n_iters

    @classmethod
    def options(cls) -> set[str]:
        """See :meth:`MotionLayer.options`."""
        return super().options() | named_arguments(TVL1.__init__)

    def _solve(self, g: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        full = g.to(torch.promote_types(g.dtype, torch.float32))
        solve = partial(self.solver, n_iters=n_iters)
        u_x, u_y = of_pairs(solve, normalise_clip(full))
        return u_x.to(g.dtype), u_y.to(g.dtype)
