"""Stacked flow layers: flow-of-flow and flow-conv-flow."""

from typing import Any, cast

from torch import Tensor, nn

from repflow_mm.checks import check_choice, check_count, check_flag
from repflow_mm.errors import InputError
from repflow_mm.layers.base import MotionLayer
from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.memory_format import laid_out_like
from repflow_mm.layers.registry import register_layer
from repflow_mm.layers.representation_flow import RepresentationFlow

BETWEEN = ('wide', 'narrow')


@register_layer('FcF')
class FlowOfFlow(MotionLayer):
    """Flow, convolution, flow (FcF, Fig. 6 and Table 5 of the paper).

    A flow layer sees two frames; the flow of its flow sees three, and so how motion
    changes. The 3x3 convolution in between turns direction and speed back into features
    that keep their value as they move.

    Args:
        in_channels (int): Channels in and out, `C`.
        num_flows (int): Number of flow layers, at least 1. Defaults to 2.
        conv (bool): Whether to put a 3x3 convolution between them; without it this is
            the paper's flow-of-flow. Defaults to True.
        shared (bool): Whether the flow layers share all their parameters. Defaults
            to False.
        fusion (str): How the result is combined with the input features, see
            :class:`Fusion`. Defaults to `'none'`.
        temporal (str): `'valid'` returns `T - num_flows` frames, `'same'` returns
            `T`. Defaults to `'valid'`.
        zero_init_residual (bool): With `fusion='add'`, start as the identity.
            Defaults to True.
        between (str): What lies between two flows. `'wide'`: the first is expanded to
            `C` channels, convolved (with batch norm and ReLU) and reduced again.
            `'narrow'`, as in the authors' released networks: its `2C'` channels are
            convolved and reduced to `C'`, without batch norm and ReLU, which for
            `C > 2C'` costs far less. Defaults to `'wide'`.
        conv_after (bool): Whether another 3x3 convolution (with batch norm and ReLU)
            follows the last flow; with `num_flows=1`, it separates what a second flow
            adds from what the convolution adds. Not for `'narrow'`, nor with
            `zero_init_residual` where that applies. Defaults to False.
        **flow: Further arguments of each :class:`RepresentationFlow`.

    Shape:
        - Input: `(N, C, T, H, W)`, `T > num_flows` (`T >= 2` for `'same'`).
        - Output: `(N, C, T - num_flows, H, W)` or `(N, C, T, H, W)`.

    Raises:
        InputError: On a wrong value, and in `forward` on a wrong shape or too
            few frames.
    """

    reduce: nn.Module
    expand: nn.Module
    bn: nn.Module
    after: nn.Module

    def __init__(
        self,
        in_channels: int,
        num_flows: int = 2,
        conv: bool = True,
        shared: bool = False,
        fusion: str = 'none',
        temporal: str = 'valid',
        zero_init_residual: bool = True,
        *,
        between: str = 'wide',
        conv_after: bool = False,
        **flow,
    ) -> None:
        super().__init__(in_channels, temporal, zero_init_residual)
        check_count('num_flows', num_flows)
        check_flag('conv', conv)
        check_flag('shared', shared)
        check_choice('between', between, BETWEEN)
        check_flag('conv_after', conv_after)
        if conv_after and between == 'narrow':
            raise InputError("conv_after=True needs between='wide'")
        if 'budget' in flow:
            raise InputError('FcF has no budget: two flows take more than one')
        self.num_flows = num_flows
        self.between = between
        self.min_frames = 2 if temporal == 'same' else num_flows + 1
        # A shared layer appears once, in parameters and checkpoints too.
        layers = 1 if shared else num_flows
        make = self._make_wide if between == 'wide' else self._make_narrow
        make(layers, conv, temporal=temporal, **flow)
        self.after = _conv_block(in_channels) if conv_after else nn.Identity()
        self.fuse = Fusion(fusion, in_channels)
        self.reset_parameters()

    def _make_wide(self, layers: int, conv: bool, **flow) -> None:
        self.reduce = self.expand = self.bn = nn.Identity()
        self.flows = nn.ModuleList(
            RepresentationFlow(self.in_channels, **flow) for _ in range(layers)
        )
        self.convs = nn.ModuleList(
            _conv_block(self.in_channels)
            for _ in range(self.num_flows - 1 if conv else 0)
        )

    def _make_narrow(
        self, layers: int, conv: bool, flow_channels: int | None = None, **flow
    ) -> None:
        channels = 32 if flow_channels is None else flow_channels
        check_count('flow_channels', channels)
        self.reduce = nn.Conv3d(self.in_channels, channels, 1, bias=False)
        self.flows = nn.ModuleList(_NarrowFlow(channels, **flow) for _ in range(layers))
        self.convs = nn.ModuleList(
            nn.Sequential(
                _conv3x3(2 * channels) if conv else nn.Identity(),
                nn.Conv3d(2 * channels, channels, 1, bias=False),
            )
            for _ in range(self.num_flows - 1)
        )
        self.expand = nn.Conv3d(2 * channels, self.in_channels, 1, bias=False)
        self.bn = nn.BatchNorm3d(self.in_channels)

    def reset_parameters(self) -> None:
        """Set every learned weight except the solvers' to its initial value."""
        flows = cast(list[RepresentationFlow], [*self.flows])
        for layer in flows:
            layer.reset_parameters()
        others = self.reduce, *self.convs.modules(), *self.after.modules(), self.expand
        for module in others:
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out')
            elif isinstance(module, nn.BatchNorm3d):
                module.reset_parameters()
        wide = self.between == 'wide'
        last = flows[-1].bn if wide else cast(nn.BatchNorm3d, self.bn)
        last.reset_parameters()
        if self.starts_as_identity:
            if wide and len(self.flows) < self.num_flows:
                raise InputError(
                    'a shared layer initialized to zero would compute the flow of '
                    'zeros: set zero_init_residual=False or shared=False'
                )
            if isinstance(self.after, nn.Sequential):
                raise InputError(
                    'a layer initialized to zero would not learn before the ReLU of '
                    'conv_after: set zero_init_residual=False'
                )
            nn.init.zeros_(last.weight)

    def features(self, x: Tensor) -> Tensor:
        """See :meth:`MotionLayer.features`."""
        given, x = x, self.reduce(x)
        for i in range(self.num_flows):
            if i > 0 and self.convs:
                x = self.convs[i - 1](x)
            x = self.flows[min(i, len(self.flows) - 1)](x)
        return self.bn(self.expand(laid_out_like(self.after(x), given)))

    @classmethod
    def options(cls) -> set[str]:
        """See :meth:`MotionLayer.options`."""
        return super().options() | RepresentationFlow.options() - {'budget'}


class _NarrowFlow(RepresentationFlow):
    """A flow layer without convolutions: `C'` channels in, their `2C'` flows out."""

    def __init__(self, channels: int, temporal: str, **solver) -> None:
        MotionLayer.__init__(self, channels, temporal)
        self.reduce = self.expand = self.bn = cast(Any, nn.Identity())
        self.make_motion(channels, **solver)
        self.fuse = Fusion('none', channels)

    def reset_parameters(self) -> None:
        """Nothing but the solver learns."""


def _conv3x3(channels: int) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1), bias=False)


def _conv_block(channels: int) -> nn.Sequential:
    return nn.Sequential(
        _conv3x3(channels), nn.BatchNorm3d(channels), nn.ReLU(inplace=True)
    )
