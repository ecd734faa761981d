"""Put a flow layer behind a sub-module of a network that stays what it was.

The backbone keeps its class, its attributes and the names of its weights, so that
recognizers and zoo checkpoints find what they expect; what it gains is a child
named `flow` and a forward hook.
"""

import difflib
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from repflow_mm.errors import InputError
from repflow_mm.layers import FlowOfFlow, RepresentationFlow

_LAYERS = {'RepFlow': RepresentationFlow, 'FcF': FlowOfFlow}


def build_flow(cfg: Mapping, in_channels: int) -> nn.Module:
    """Build a flow layer from a config.

    Args:
        cfg (Mapping): Arguments of the layer; `type` is `'RepFlow'` (the default)
            or `'FcF'`.
        in_channels (int): Channels of the features it works on.

    Returns:
        nn.Module: The layer, `(N, C, T, H, W)` to `(N, C, T', H, W)`.

    Raises:
        ValueError: On an unknown type.
    """
    cfg = dict(cfg)
    kind = cfg.pop('type', 'RepFlow')
    if kind not in _LAYERS:
        raise InputError(f'flow.type must be one of {tuple(_LAYERS)}, got {kind!r}')
    return _LAYERS[kind](in_channels, **cfg)


class _Behind:
    """The forward hook.

    It holds modules of its own tree, so that a deepcopy of the backbone, EMA's
    included, gets a hook that knows the copy's flow layer.
    """

    def __init__(self, flow: nn.Module, after: str, num_segments: int | None) -> None:
        self.flow = flow
        self.after = after
        self.num_segments = num_segments

    def __call__(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        if output.dim() == 5:
            return self.flow(output)
        frames = output.shape[0]
        if frames % self.num_segments:
            raise InputError(
                f'flow behind {self.after!r}: a batch of {frames} frames does not '
                f'divide into clips of num_segments={self.num_segments}: set '
                'num_segments to the frames of one clip as the recognizer samples '
                'them (num_clips, in training and testing alike)'
            )
        clips = output.unflatten(0, (-1, self.num_segments)).transpose(1, 2)
        return self.flow(clips).transpose(1, 2).flatten(0, 1)


class _Before:
    """The forward pre-hook for flow of the input."""

    def __init__(self, flow: nn.Module) -> None:
        self.flow = flow

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        return (self.flow(args[0]), *args[1:])


def splice(
    backbone: nn.Module,
    flow: nn.Module,
    after: str,
    num_segments: int | None = None,
    before: bool = False,
) -> None:
    """Let features pass through `flow` behind the sub-module `after`.

    Args:
        backbone (nn.Module): Changed in place; gets the child `flow`.
        flow (nn.Module): `(N, C, T, H, W)` to the same channels.
        after (str): Name of the sub-module.
        num_segments (int, optional): Frames of a clip where features are
            `(N * T, C, H, W)`.
        before (bool): Before the sub-module instead, on what it is given.
    """
    module = backbone.get_submodule(after)
    if before:
        module.register_forward_pre_hook(_Before(flow))
    else:
        module.register_forward_hook(_Behind(flow, after, num_segments))
    backbone.flow = flow
    # Backbones freeze and initialise all norms they find; the flow layer has no
    # pretrained state to keep, and its norm may start at zero on purpose.
    backbone.train = partial(_train, backbone)
    backbone.init_weights = partial(_init_weights, backbone)


def _train(backbone: nn.Module, mode: bool = True) -> nn.Module:
    type(backbone).train(backbone, mode)
    backbone.flow.train(mode)
    backbone.flow.requires_grad_(True)
    return backbone


def _init_weights(backbone: nn.Module, *args, **kwargs) -> None:
    type(backbone).init_weights(backbone, *args, **kwargs)
    init_cfg = getattr(backbone, 'init_cfg', None)
    loads = isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'
    if not loads and not getattr(backbone, 'pretrained', None):
        # Initialised from scratch, the flow layer with it; what a file held stays.
        backbone.flow.reset_parameters()


class _Found(Exception):
    """Ends a probing forward pass once the sub-module has answered."""


def probe(backbone: nn.Module, after: str, num_segments: int | None) -> torch.Size:
    """Shape of what a sub-module gives, found by a small forward pass.

    Args:
        backbone (nn.Module): Left as it was, its statistics too.
        after (str): Name of the sub-module.
        num_segments (int, optional): Frames of a clip, for a per-frame backbone.

    Returns:
        torch.Size: `(1, C, T, H, W)`, or `(T, C, H, W)` of a per-frame backbone.

    Raises:
        ValueError: If there is no such sub-module, the backbone never calls it, or
            what it gives are not maps.
    """
    token_layers = nn.LayerNorm, nn.MultiheadAttention
    if any(isinstance(module, token_layers) for module in backbone.modules()):
        raise InputError(
            f'{type(backbone).__name__} works on tokens: flow needs feature maps '
            'whose neighbours are neighbours in the picture, so only convolutional '
            'backbones can take it. Use the RGB input (a RepFlowResNet), or another '
            'backbone'
        )
    names = [name for name, _ in backbone.named_modules() if name]
    if after not in names:
        near = difflib.get_close_matches(after, names, 3)
        hint = f'; did you mean {" or ".join(map(repr, near))}?' if near else '.'
        shallow = [name for name in names if name.count('.') <= 1]
        listed = ', '.join(shallow if len(shallow) <= 40 else shallow[:40] + ['...'])
        raise InputError(
            f'{type(backbone).__name__} has no sub-module {after!r}{hint} '
            f'There are: {listed}'
        )
    seen = []

    def look(module: nn.Module, args: tuple, output) -> None:
        seen.append(output)
        raise _Found

    handle = backbone.get_submodule(after).register_forward_hook(look)
    training = backbone.training
    backbone.eval()
    failures = []
    try:
        with torch.no_grad():
            for shape in (
                (1, 3, 32, 64, 64),
                (num_segments or 8, 3, 64, 64),
                (1, 3, 16, 112, 112),  # C3D has this size alone
            ):
                try:
                    backbone(torch.zeros(shape))
                except _Found:
                    break
                except Exception as error:  # not the rank that it takes
                    failures.append(error)
    finally:
        handle.remove()
        backbone.train(training)
    if not seen:
        why = f' ({failures[0]})' if len(failures) == 3 else ''
        raise InputError(
            f'{type(backbone).__name__} never calls its sub-module {after!r} by '
            f'itself{why}: choose one that is called, such as a whole stage'
        )
    if not isinstance(seen[0], Tensor) or seen[0].dim() not in (4, 5):
        got = tuple(seen[0].shape) if isinstance(seen[0], Tensor) else type(seen[0])
        raise InputError(
            f'flow needs maps (N, C, T, H, W) or (N * T, C, H, W), and {after!r} of '
            f'{type(backbone).__name__} gives {got}: choose a convolutional stage'
        )
    return seen[0].shape
