"""Stacked flow layers: flow-of-flow and flow-conv-flow."""

from typing import cast

from torch import Tensor, nn

from repflow_mm.checks import check_count, check_flag
from repflow_mm.errors import InputError
from repflow_mm.layers.base import MotionLayer
from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.representation_flow import RepresentationFlow


@register_layer('FcF')
class FlowOfFlow(MotionLayer):
    """Flow, convolution, flow (FcF, Fig. 6 and Table 5 of the paper).

    A flow layer sees two frames; the flow of its flow sees three, and so how motion
    changes. The 3x3 convolution in between (with batch norm and ReLU) turns direction
    and speed back into features that keep their value as they move.

    Args:
        in_channels (int): Channels in and out, `C`.
        num_flows (int): Number of flow layers, at least 1. Defaults to 2.
        conv (bool): Whether to put a convolution between them; without it this is
            the paper's flow-of-flow. Defaults to True.
        shared (bool): Whether the flow layers share all their parameters. Defaults
            to False.
        fusion (str): How the result is combined with the input features, see
            :class:`Fusion`. Defaults to `'none'`.
        temporal (str): `'valid'` returns `T - num_flows` frames, `'same'` returns
            `T`. Defaults to `'valid'`.
        zero_init_residual (bool): With `fusion='add'`, start as the identity.
            Defaults to True.
        **flow: Further arguments of each :class:`RepresentationFlow`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T > num_flows` (`T >= 2` for `'same'`).
        - Output: `(N, C, T - num_flows, H, W)` or `(N, C, T, H, W)`.

    Raises:
        InputError: On an unknown option, and in `forward` on a wrong shape or too
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
        super().__init__(in_channels, temporal, zero_init_residual)
        check_count('num_flows', num_flows)
        check_flag('conv', conv)
        check_flag('shared', shared)
        layers = [
            RepresentationFlow(in_channels, temporal=temporal, **flow)
            for _ in range(1 if shared else num_flows)
        ]
        # A shared layer appears once, in parameters and checkpoints too.
        self.flows = nn.ModuleList(layers)
        self.num_flows = num_flows
        self.min_frames = 2 if temporal == 'same' else num_flows + 1
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
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every learned weight except the solvers' to its initial value."""
        flows = cast(list[RepresentationFlow], [*self.flows])
        for layer in flows:
            layer.reset_parameters()
        for module in self.convs.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out')
        if self.starts_as_identity:
            if len(self.flows) < self.num_flows:
                raise InputError(
                    'a shared layer initialized to zero would compute the flow of '
                    'zeros: set zero_init_residual=False or shared=False'
                )
            nn.init.zeros_(flows[-1].bn.weight)

    def features(self, x: Tensor) -> Tensor:
        """See :meth:`MotionLayer.features`."""
        for i in range(self.num_flows):
            if i > 0 and self.convs:
                x = self.convs[i - 1](x)
            x = self.flows[min(i, len(self.flows) - 1)](x)
        return x

    @classmethod
    def options(cls) -> set[str]:
        """See :meth:`MotionLayer.options`."""
        return super().options() | RepresentationFlow.options()
