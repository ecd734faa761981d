"""Several flow layers in a row: flow of flow, and flow-conv-flow."""

from torch import Tensor, nn

from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.representation_flow import (
    TEMPORAL,
    RepresentationFlow,
    check_choice,
    check_clip,
)


class FlowOfFlow(nn.Module):
    """Flow, convolution, flow (FcF, Fig. 6 and Table 5 of the paper).

    A flow layer sees two frames; the flow of its flow sees three, and how motion
    changes. The 3x3 convolution between (batch norm and ReLU behind it) turns
    direction and speed back into features that keep their value as they move.

    Args:
        in_channels (int): Channels in and out, `C`.
        num_flows (int): Flow layers, at least 1. Defaults to 2.
        conv (bool): Whether a convolution sits between them; without it this is
            the paper's plain flow-of-flow. Defaults to True.
        shared (bool): Whether all flow layers are one and the same, parameters
            and all. Defaults to False.
        fusion (str): How the result meets the features that came in, see
            :class:`Fusion`. Defaults to `'none'`.
        temporal (str): `'valid'` gives `T - num_flows` frames, `'same'` gives
            `T`. Defaults to `'valid'`.
        zero_init_residual (bool): With `fusion='add'`, start as the identity.
            Defaults to True.
        **flow: Further arguments of :class:`RepresentationFlow`, for every layer.

    Shape:
        - Input: `(N, C, T, H, W)`, `T > num_flows` (`T >= 2` for `'same'`).
        - Output: `(N, C, T - num_flows, H, W)` or `(N, C, T, H, W)`.

    Raises:
        ValueError: On an unknown option, and in `forward` on a wrong shape or too
            few frames.
    """

    def __init__(
        self,
        in_channels: int,
        num_flows: int = 2,
        conv: bool = True,
        shared: bool = False,
        fusion: str = 'none',
        temporal: str = 'valid',
        zero_init_residual: bool = True,
        **flow,
    ) -> None:
        super().__init__()
        if not isinstance(num_flows, int) or num_flows < 1:
            raise ValueError(f'num_flows must be an integer >= 1, got {num_flows!r}')
        check_choice('temporal', temporal, TEMPORAL)
        self.in_channels = in_channels
        self.temporal = temporal
        layers = [
            RepresentationFlow(in_channels, temporal=temporal, **flow)
            for _ in range(1 if shared else num_flows)
        ]
        # A shared layer is listed once: parameters and checkpoints hold it once.
        self.flows = nn.ModuleList(layers)
        self.num_flows = num_flows
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(
                    in_channels, in_channels, (1, 3, 3), padding=(0, 1, 1), bias=False
                ),
                nn.BatchNorm3d(in_channels),
                nn.ReLU(inplace=True),
            )
            for _ in range(num_flows - 1 if conv else 0)
        )
        self.fuse = Fusion(fusion, in_channels)
        self.zero_init_residual = zero_init_residual
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start values of every learned weight but the solvers'."""
        for layer in self.flows:
            layer.reset_parameters()
        for conv, _, _ in self.convs:
            nn.init.kaiming_normal_(conv.weight, mode='fan_out')
        if self.fuse.kind == 'add' and self.zero_init_residual:
            if len(self.flows) < self.num_flows and self.num_flows > 1:
                raise ValueError(
                    'a shared layer that starts at zero would give the flow of '
                    'nothing: set zero_init_residual=False or shared=False'
                )
            nn.init.zeros_(self.flows[-1].bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Motion features of a clip, see the class."""
        needed = 2 if self.temporal == 'same' else self.num_flows + 1
        check_clip(x, self.in_channels, needed, f'{self.num_flows} flows in a row')
        motion = x
        for i in range(self.num_flows):
            if i > 0 and self.convs:
                motion = self.convs[i - 1](motion)
            motion = self.flows[min(i, len(self.flows) - 1)](motion)
        return self.fuse(x, motion)
