"""3D and (2+1)D ResNets with a representation flow layer."""

from collections.abc import Mapping
from types import MappingProxyType

from mmaction.models.backbones.resnet2plus1d import ResNet2Plus1d
from mmaction.models.backbones.resnet3d import ResNet3d
from mmaction.registry import MODELS

from repflow_mm.checks import check_choice
from repflow_mm.layers import build_layer
from repflow_mm.layers.splice import splice

_DEFAULTS: Mapping[str, object] = MappingProxyType({})


def _place_flow(backbone: ResNet3d, flow: Mapping | None, after: str) -> None:
    stages = [f'block{i + 2}' for i in range(backbone.num_stages)]
    blocks = ('input', 'block1', *stages)
    check_choice('after', after, blocks)
    if flow is None:
        return
    expansion = backbone.block.expansion
    width = backbone.base_channels
    channels = dict(input=backbone.in_channels, block1=width)
    channels |= {name: width * 2**i * expansion for i, name in enumerate(stages)}
    stem = 'maxpool' if getattr(backbone, 'with_pool1', True) else 'conv1'
    modules = dict(input='conv1', block1=stem)
    modules |= {name: f'layer{i + 1}' for i, name in enumerate(stages)}
    splice(
        backbone,
        build_layer(flow, channels[after]),
        modules[after],
        before=after == 'input',
    )


@MODELS.register_module()
class RepFlowResNet3d(ResNet3d):
    """MMAction2's 3D ResNet (I3D) with a flow layer (Table 6).

    2D ImageNet weights are inflated by MMAction2, and checkpoints of its 3D ResNets
    load, for everything except the layer.

    Args:
        flow (dict, optional): Arguments of the layer except `in_channels`; `type`
            names any registered motion layer and defaults to `'RepFlow'`. `None` omits
            it, for the RGB baseline, which is MMAction2's. Defaults to the layer's
            defaults.
        after (str): `'input'` (RGB), `'block1'` (stem) or `'block2'` ...
            `'block5'` (`layer1` ... `layer4`). Defaults to `'block3'`.
        **kwargs: Arguments of :class:`mmaction.models.ResNet3d`, including `depth`.
            Options that freeze its stages or norms do not affect the flow layer.

    Shape:
        - Input: `(N, 3, T, H, W)`.
        - Output: as the parent's, with one frame less per flow for
          `flow=dict(temporal='valid')`, the default.

    Raises:
        InputError: On an unknown `after` or `flow.type`.
    """

    def __init__(
        self, flow: Mapping | None = _DEFAULTS, after: str = 'block3', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        _place_flow(self, flow, after)
        self.train()  # freezes stages: DDP is told what learns when it wraps the model


@MODELS.register_module()
class RepFlowResNet2Plus1d(ResNet2Plus1d):
    """MMAction2's R(2+1)D with a flow layer (Table 7).

    Takes the arguments of :class:`RepFlowResNet3d` and of
    :class:`mmaction.models.ResNet2Plus1d`.
    """

    def __init__(
        self, flow: Mapping | None = _DEFAULTS, after: str = 'block3', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        _place_flow(self, flow, after)
        self.train()  # freezes stages: DDP is told what learns when it wraps the model
