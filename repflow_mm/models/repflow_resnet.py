"""A 2D ResNet, applied per frame, with a representation flow layer."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from mmaction.models.backbones.resnet import ResNet
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from repflow_mm.checkpoint.first_convolution import for_channels
from repflow_mm.checks import check_choice
from repflow_mm.errors import InputError
from repflow_mm.layers import MotionLayer, build_layer, motion_prefixes
from repflow_mm.layers.mode import set_mode

_FIRST = 'conv1.conv.weight'
_DEFAULTS: Mapping[str, object] = MappingProxyType({})


@MODELS.register_module()
class RepFlowResNet(ResNet):
    """MMAction2's 2D ResNet on every frame of a clip, with a flow layer.

    The paper's network: `after='block3'` puts the layer after the second residual
    stage, at 28x28 for an input of 224x224. Weights of MMAction2's and
    torchvision's 2D ResNets load for everything except the layer.

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        flow (dict, optional): Arguments of the layer except `in_channels`; `type`
            names any registered motion layer and defaults to `'RepFlow'`,
            :class:`repflow_mm.layers.RepresentationFlow`. `None` omits the layer, for
            the RGB baseline. Defaults to the layer's defaults.
        after (str): Position of the layer, in the paper's terms: `'input'` (RGB),
            `'block1'` (stem) or `'block2'` ... `'block5'` (the residual stages
            `layer1` ... `layer4`). Defaults to `'block3'`.
        **kwargs: Arguments of :class:`mmaction.models.ResNet`. `frozen_stages`,
            `norm_eval` and `partial_bn` do not affect the flow layer, which has no
            pretrained state to keep.

    Shape:
        - Input: `(N, in_channels, T, H, W)`; 3 channels by default.
        - Output: `(N, C, T', H', W')` for the stage in `out_indices`, or a
          tuple of them. After the layer `T'` is `T - 1` for
          `flow=dict(temporal='valid')`, the default.

    Raises:
        InputError: On an unknown `after` or `depth`, pretrained weights that do not
            fit, or an input of the wrong rank.
    """

    def __init__(
        self,
        depth: int,
        flow: Mapping | None = _DEFAULTS,
        after: str = 'block3',
        **kwargs,
    ) -> None:
        check_choice('depth', depth, tuple(self.arch_settings))
        super().__init__(depth, **kwargs)
        blocks = ('input', *(f'block{i + 1}' for i in range(self.num_stages + 1)))
        check_choice('after', after, blocks)
        # Of its own layer: another one may be spliced in and be called `flow`.
        self.after = None if flow is None else after
        self.flow: MotionLayer | None = None
        if flow is not None:
            channels = (
                self.in_channels,
                64,
                *(64 * 2**i * self.block.expansion for i in range(self.num_stages)),
            )
            self.flow = build_layer(flow, channels[blocks.index(after)])
        self.train()  # freezes stages: DDP is told what learns when it wraps the model

    def init_weights(self) -> None:
        """Load `pretrained` (MMAction2's or torchvision's names), or initialize.

        For inputs other than RGB, the first convolution gets the mean over RGB.

        Raises:
            InputError: If a weight other than the flow layer's is missing from the
                file or has another shape.
        """
        if not self.pretrained:
            super().init_weights()
            return
        logger = MMLogger.get_current_instance()
        checkpoint = _load_checkpoint(self.pretrained, 'cpu', logger)
        given = _as_mmaction(checkpoint.get('state_dict', checkpoint))
        if _FIRST in given:
            given[_FIRST] = for_channels(given[_FIRST], self.in_channels)
        flow = motion_prefixes(self)
        own = {k: v for k, v in self.state_dict().items() if not k.startswith(flow)}
        unfit = [
            k
            for k, v in own.items()
            if not k.endswith('num_batches_tracked')
            and (k not in given or given[k].shape != v.shape)
        ]
        if unfit:
            raise InputError(
                f'{self.pretrained} is not a 2D ResNet-{self.depth}: {len(unfit)} of '
                f'{len(own)} weights are missing or have another shape (first: '
                f'{unfit[0]})'
            )
        self.load_state_dict({k: given[k] for k in own if k in given}, strict=False)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Features of a clip; see the class."""
        if x.dim() != 5:
            raise InputError(
                'RepFlowResNet takes clips (N, C, T, H, W), got shape '
                f"{tuple(x.shape)}: use FormatShape with input_format='NCTHW'"
            )
        clips = x.shape[0], x.shape[2]  # N and T; T is lost in a batch of none
        outs = []
        x, clips = self._flow_after('input', _fold(x), clips)
        x, clips = self._flow_after('block1', self.maxpool(self.conv1(x)), clips)
        for i, name in enumerate(self.res_layers):
            x, clips = self._flow_after(f'block{i + 2}', getattr(self, name)(x), clips)
            if i in self.out_indices:
                outs.append(_unfold(x, clips))
        return outs[0] if len(outs) == 1 else tuple(outs)

    def _flow_after(
        self, block: str, x: Tensor, clips: tuple[int, int]
    ) -> tuple[Tensor, tuple[int, int]]:
        if self.flow is None or block != self.after:
            return x, clips
        x = self.flow(_unfold(x, clips))
        return _fold(x), (x.shape[0], x.shape[2])

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; freezing the backbone does not freeze the flow layer."""
        set_mode([] if self.flow is None else [self.flow], super().train, mode)
        return self


def _as_mmaction(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a 2D ResNet's weights from torchvision's names to MMAction2's."""
    renamed = {}
    for key, value in state_dict.items():
        key = key.removeprefix('backbone.')
        key = re.sub(r'downsample\.0\.', 'downsample.conv.', key)
        key = re.sub(r'downsample\.1\.', 'downsample.bn.', key)
        key = re.sub(r'(^|\.)bn(\d)\.', r'\1conv\2.bn.', key)
        key = re.sub(r'(^|\.)(conv\d)\.weight$', r'\1\2.conv.weight', key)
        renamed[key] = value
    return renamed


def _fold(x: Tensor) -> Tensor:
    """`(N, C, T, H, W)` to `(N * T, C, H, W)`."""
    return x.transpose(1, 2).flatten(0, 1)


def _unfold(x: Tensor, clips: tuple[int, int]) -> Tensor:
    """`(N * T, C, H, W)` to `(N, C, T, H, W)`."""
    return x.unflatten(0, clips).transpose(1, 2)
