"""The authors' later flow layer, here only so that their published weights load.

It shares its name with the layer of the paper and is another: every filter mixes all
channels, both axes take vertical differences, the normalisation spans the batch with
its sign flipped, and the input is added back. Facts and measured data, not the
authors' code, are where this comes from; `docs/fidelity.md`, section 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repflow_mm.errors import InputError

_GUARD = 1e-12


class LegacyRepresentationFlow(nn.Module):
    """The flow layer that the authors' Kinetics weights were trained with.

    For new models take :class:`repflow_mm.layers.RepresentationFlow`.

    Args:
        in_channels (int): Channels in and out, `C`.
        flow_channels (int): Channels of the flow, `C'`. Defaults to 32.
        n_iters (int): Iterations. Defaults to 10.

    Shape:
        - Input: `(N, C, T, H, W)`, `T >= 2`, `H` and `W` at least 2.
        - Output: `(N, C, T - 1, H, W)`, not negative. A clip's result depends on the
          others in the batch, through the normalisation.

    Raises:
        ValueError: On a wrong shape.
    """

    def __init__(
        self, in_channels: int, flow_channels: int = 32, n_iters: int = 10
    ) -> None:
        super().__init__()
        self.n_iters = n_iters
        central = torch.tensor((-0.5, 0.0, 0.5))
        step = torch.tensor((-1.0, 1.0))

        def mixing(kernel: Tensor, shape: tuple[int, int]) -> nn.Parameter:
            kernel = kernel.view(1, 1, *shape)
            return nn.Parameter(kernel.repeat(flow_channels, flow_channels, 1, 1))

        self.img_grad = mixing(central, (1, 3))
        self.img_grad2 = mixing(central, (3, 1))
        self.f_grad, self.f_grad2 = mixing(step, (2, 1)), mixing(step, (2, 1))
        self.div, self.div2 = mixing(step, (2, 1)), mixing(step, (2, 1))
        # The authors' names: theta, lambda and tau.
        self.t = nn.Parameter(torch.tensor([0.3]))
        self.l = nn.Parameter(torch.tensor([0.15]))
        self.a = nn.Parameter(torch.tensor([0.25]))
        self.bottleneck = nn.Conv3d(in_channels, flow_channels, 1, bias=False)
        self.unbottleneck = nn.Conv3d(2 * flow_channels, in_channels, 1, bias=False)
        self.bn = nn.BatchNorm3d(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """`relu(first frames + motion)`, see the class."""
        if x.dim() != 5 or x.shape[2] < 2 or min(x.shape[-2:]) < 2:
            raise InputError(
                'the legacy flow layer needs (N, C, T, H, W) with at least 2 frames '
                f'of 2x2, got shape {tuple(x.shape)}'
            )
        maps = self.bottleneck(x)
        low, high = maps.min(), maps.max()
        frames = (255 * (maps - low) / (low - high)).transpose(1, 2)
        n, pairs = x.shape[0], x.shape[2] - 1
        u, v = self._solve(frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1))
        flow = torch.cat((u, v), dim=1).unflatten(0, (n, pairs)).transpose(1, 2)
        return F.relu(x[:, :, :-1] + self.bn(self.unbottleneck(flow)))

    def _solve(self, f1: Tensor, f2: Tensor) -> tuple[Tensor, Tensor]:
        g_x, g_y = self._image_gradient(f1, f2)
        g_squared = g_x.square() + g_y.square() + _GUARD
        bound, rate = self.l * self.t, self.a / self.t
        rho_c = f2 - f1
        u = v = torch.zeros_like(f1)
        duals = [torch.zeros_like(f1)] * 4
        for _ in range(self.n_iters):
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
