"""The authors' later flow layer, only for loading their published weights.

It shares its name with the layer of the paper but differs from it: every filter mixes
all channels, both axes use vertical differences, the normalisation spans the batch with
its sign flipped, and the input is added back. Written from facts and measured data, not
from the authors' code; see `docs/fidelity.md`, section 4.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError
from repflow_mm.layers.base import MotionLayer
from repflow_mm.layers.fusion import Fusion

_GUARD = 1e-12
_CENTRAL = torch.tensor((-0.5, 0.0, 0.5))
_STEP = torch.tensor((-1.0, 1.0)).view(1, 1, 2, 1)
# Initial filters, the same for each pair of channels.
_START = dict(img_grad=_CENTRAL.view(1, 1, 1, 3), img_grad2=_CENTRAL.view(1, 1, 3, 1))
_START |= dict.fromkeys(('f_grad', 'f_grad2', 'div', 'div2'), _STEP)
_SCALARS = dict(t=0.3, l=0.15, a=0.25)  # the authors' names: theta, lambda and tau


class LegacyRepresentationFlow(MotionLayer):
    """The flow layer that the authors' Kinetics weights were trained with.

    For new models use :class:`repflow_mm.layers.RepresentationFlow`.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int): Channels of the flow, `C'`. Defaults to 32.
        n_iters (int): Iterations. Defaults to 10.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`, `H` and `W` at least 2.
        - Output: `(N, C, T - 1, H, W)`, non-negative. The normalisation makes a clip's
          result depend on the others in the batch.

    Raises:
        InputError: On a wrong shape.
    """

    n_iters = 10
    img_grad: nn.Parameter
    img_grad2: nn.Parameter
    f_grad: nn.Parameter
    f_grad2: nn.Parameter
    div: nn.Parameter
    div2: nn.Parameter
    t: nn.Parameter
    l: nn.Parameter  # noqa: E741  the authors' name
    a: nn.Parameter

    def __init__(
        self, in_channels: int, flow_channels: int = 32, n_iters: int = 10
    ) -> None:
        super().__init__(in_channels, 'valid', zero_init_residual=False)
        check_count('flow_channels', flow_channels)
        check_count('n_iters', n_iters)
        self.n_iters = n_iters
        for name, kernel in _START.items():
            weight = kernel.repeat(flow_channels, flow_channels, 1, 1)
            self.register_parameter(name, nn.Parameter(weight))
        for name, start in _SCALARS.items():
            self.register_parameter(name, nn.Parameter(torch.tensor([start])))
        self.bottleneck = nn.Conv3d(in_channels, flow_channels, 1, bias=False)
        self.unbottleneck = nn.Conv3d(2 * flow_channels, in_channels, 1, bias=False)
        self.bn = nn.BatchNorm3d(in_channels)
        self.fuse = Fusion('none', in_channels)  # `features` adds the input

    def features(self, x: Tensor) -> Tensor:
        """`relu(first frames + motion)`; see the class."""
        flow = torch.cat(self.flow(x), dim=1)
        return F.relu(x[:, :, :-1] + self.bn(self.unbottleneck(flow)))

    def flow(self, x: Tensor, n_iters: int | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`MotionLayer.flow`; both components are vertical differences."""
        if min(x.shape[-2:]) < 2:
            raise InputError(
                'the legacy flow layer needs maps of at least 2x2, got shape '
                f'{tuple(x.shape)}'
            )
        maps = self.bottleneck(x)
        low, high = maps.min(), maps.max()
        frames = (255 * (maps - low) / (low - high)).transpose(1, 2)
        shape = x.shape[0], x.shape[2] - 1
        u, v = self._solve(
            frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1), n_iters
        )
        u, v = (part.unflatten(0, shape).transpose(1, 2) for part in (u, v))
        return u, v

    def reset_parameters(self) -> None:
        """Set every learned weight to its initial value."""
        with torch.no_grad():
            for name, kernel in _START.items():
                getattr(self, name).copy_(kernel)
            for name, start in _SCALARS.items():
                getattr(self, name).fill_(start)
        for module in (self.bottleneck, self.unbottleneck, self.bn):
            module.reset_parameters()

    def log_scalars(self) -> dict[str, Tensor]:
        """The solver's scalars, under the paper's names."""
        return dict(tau=self.a[0], lam=self.l[0], theta=self.t[0])

    def slow_parameters(self) -> list[nn.Parameter]:
        """The filters and scalars, see :meth:`MotionLayer.slow_parameters`."""
        return [getattr(self, name) for name in (*_START, *_SCALARS)]

    def _solve(
        self, f1: Tensor, f2: Tensor, n_iters: int | None
    ) -> tuple[Tensor, Tensor]:
        g_x, g_y = self._image_gradient(f1, f2)
        g_squared = g_x.square() + g_y.square() + _GUARD
        bound, rate = self.l * self.t, self.a / self.t
        rho_c = f2 - f1
        u = v = torch.zeros_like(f1)
        duals = [torch.zeros_like(f1)] * 4
        for _ in range(n_iters or self.n_iters):
            rho = rho_c + g_x * u + g_y * v + _GUARD
            clamped = torch.where(rho < 0, bound, -bound)
            inside = rho.abs() <= bound * g_squared
            flat = g_squared <= _GUARD
            step = torch.where(
                inside, torch.where(flat, 0.0, -rho / g_squared), clamped
            )
            u = u + step * g_x + self.t * self._divergence(duals[0], duals[1])
            v = v + step * g_y + self.t * self._divergence(duals[2], duals[3])
            duals = [
                *self._dual_step(u, duals[0], duals[1], rate),
                *self._dual_step(v, duals[2], duals[3], rate),
            ]
        return u, v

    def _image_gradient(self, f1: Tensor, f2: Tensor) -> tuple[Tensor, Tensor]:
        """Central differences of the second map; at the border, of the first."""
        g_x = F.conv2d(F.pad(f2, (1, 1)), self.img_grad)
        g_y = F.conv2d(F.pad(f2, (0, 0, 1, 1)), self.img_grad2)
        first, last = (f1[..., 1] - f1[..., 0]) / 2, (f1[..., -1] - f1[..., -2]) / 2
        g_x = torch.cat((first[..., None], g_x[..., 1:-1], last[..., None]), dim=-1)
        top = (f1[..., 1:2, :] - f1[..., :1, :]) / 2
        bottom = (f1[..., -1:, :] - f1[..., -2:-1, :]) / 2
        return g_x, torch.cat((top, g_y[..., 1:-1, :], bottom), dim=-2)

    def _forward_gradient(self, u: Tensor, kernel: Tensor) -> Tensor:
        return F.pad(F.conv2d(u, kernel), (0, 0, 0, 1))

    def _divergence(self, p: Tensor, q: Tensor) -> Tensor:
        def difference(field: Tensor, kernel: Tensor) -> Tensor:
            shifted = F.pad(field[..., :-1, :], (0, 0, 1, 1))
            return F.conv2d(shifted, kernel)

        return difference(p, self.div) + difference(q, self.div2)

    def _dual_step(
        self, u: Tensor, p: Tensor, q: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor]:
        u_x = self._forward_gradient(u, self.f_grad)
        u_y = self._forward_gradient(u, self.f_grad2)
        scale = 1 + rate * (u_x.square() + u_y.square() + _GUARD).sqrt()
        return (p + rate * u_x) / scale, (q + rate * u_y) / scale
