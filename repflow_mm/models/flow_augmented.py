"""Motion layers in any convolutional backbone that MMAction2 supports."""

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from types import MappingProxyType
from typing import Any

from mmaction.models.recognizers import Recognizer2D
from mmaction.registry import MODELS
from torch import Tensor, nn

from repflow_mm.errors import InputError, InputTypeError
from repflow_mm.layers.splice import insert

_DIMENSIONS = {3: 'NLC', 4: 'NCHW'}


@MODELS.register_module()
def FlowAugmented(
    backbone: dict,
    after: str,
    flow: Mapping | None = MappingProxyType({}),
    num_segments: int | None = None,
) -> nn.Module:
    """Build a backbone with a motion layer after one of its sub-modules.

    The backbone keeps its class and the names of its weights, so checkpoints of
    MMAction2's zoo load with only `flow` missing. By default the layer adds motion,
    keeps the number of frames and starts as the identity: a pretrained model keeps
    its predictions at step 0.

    Args:
        backbone (dict): Config of any backbone whose stages return maps, as for
            MMAction2's recognizers, including `type='timm.NAME'`,
            `'torchvision.NAME'` (both with `feature_shape`) and `'mmpretrain.NAME'`.
            May be another `FlowAugmented`, for two layers, `flow` and `flow2`.
        after (str): The sub-module's name, such as `'layer2'` or
            `'slow_path.layer2'`; its output must be maps.
        flow (dict, optional): Arguments of the layer, with its name as `type`;
            `in_channels` is inferred. Missing ones default to `dict(type='RepFlow',
            fusion='add', temporal='same')`. None is no layer: the RGB baseline.
        num_segments (int, optional): For per-frame backbones (TSN, TSM, ...), the
            frames of one clip. Defaults to the backbone's own `num_segments`.

    Returns:
        nn.Module: The backbone. Those of timm and torchvision return maps
        `(N, C, H, W)`, which heads and necks can use.

    Raises:
        InputError: On an unknown backbone or sub-module, one that returns no maps, or
            options that do not suit a per-frame backbone.
        InputTypeError: If `backbone` is not a config with a type.
    """
    built, package, feature_shape = _build(backbone)
    if package != 'mmaction2':
        built.forward = partial(_maps, built, package, feature_shape)
    own = getattr(built, 'num_segments', None)
    if flow is not None:
        insert(built, after, own if num_segments is None else num_segments, flow)
    if package in ('timm', 'torchvision'):
        # MMEngine would call timm's, which discards pretrained weights.
        built.init_weights = _leave_weights
    built.train()  # freezes stages: DDP is told what learns when it wraps the model
    return built


def _build(cfg: Mapping) -> tuple[Any, str, str | None]:
    """The backbone, the package it comes from, and its `feature_shape`."""
    if not isinstance(cfg, Mapping) or 'type' not in cfg:
        raise InputTypeError(
            f'backbone must be the config of a backbone, with a type, got {cfg!r}'
        )
    foreign = str(cfg['type']).startswith(
        ('timm.', 'torchvision.', 'mmpretrain.', 'mmcls.')
    )
    try:
        # MMAction2 only resolves such names in its recognizers.
        holder = Recognizer2D(
            backbone=deepcopy(cfg),
            # By its full name: in a notebook, no scope may be set.
            data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
        )
    except (ImportError, KeyError, RuntimeError) as error:
        if foreign:
            raise InputError(f'backbone {cfg["type"]!r}: {error}') from error
        raise
    shape = getattr(holder, 'feature_shape', None)
    return holder.backbone, holder.backbone_from, shape


def _maps(backbone: Any, package: str, feature_shape: str | None, x: Tensor) -> Tensor:
    """`forward` of another package's backbone, `(N, C, H, W)` for a recognizer."""
    if package == 'timm':
        x = backbone.forward_features(x)
    elif package == 'torchvision' and hasattr(backbone, 'features'):
        x = backbone.features(x)
    else:
        x = type(backbone).forward(backbone, x)
    if isinstance(x, tuple) and len(x) == 1:
        (x,) = x
    if package in ('timm', 'torchvision'):
        feature_shape = feature_shape or _DIMENSIONS.get(x.dim())
        if feature_shape == 'NHWC':
            return x.permute(0, 3, 1, 2)
        if feature_shape == 'NLC':
            return x.transpose(1, 2)[..., None]
        if feature_shape is None:
            return x[..., None, None]
    return x


def _leave_weights() -> None:
    """An `init_weights` that does nothing."""
