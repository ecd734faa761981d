"""Insert motion layers after sub-modules of an existing network.

The network keeps its class, its attributes and the names of its weights, as recognizers
and pretrained checkpoints expect them. For each layer it gains a child (`flow`, then
`flow2`, `flow3`, ...) and a forward hook.
"""

from collections.abc import Mapping
from functools import partial
from itertools import chain, count
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError, InputTypeError
from repflow_mm.layers.base import MotionLayer
from repflow_mm.layers.mode import set_mode
from repflow_mm.layers.probe import probe
from repflow_mm.layers.registry import build_layer
from repflow_mm.ops.exporting import is_exporting


def add_motion(
    model: nn.Module, after: str = 'layer2', frames: int | None = 8, **flow
) -> nn.Module:
    """Add a motion layer to any convolutional network.

    By default the layer adds motion, keeps the number of frames and starts as the
    identity: a pretrained network keeps its predictions. Call it again to insert
    another layer after another sub-module. On several GPUs, use
    `DistributedDataParallel`: the replicas of `DataParallel` would share one layer.

    Args:
        model (nn.Module): A network on clips `(N, C, T, H, W)`, or on frames
            `(N * T, C, H, W)`, such as those of timm and torchvision. Modified in
            place.
        after (str): The sub-module to insert the layer after, such as `'layer2'`,
            `'features.6'` or `'slow_path.layer2'`. Its output must be feature maps.
            Defaults to `'layer2'`.
        frames (int, optional): Frames per clip, for a network on frames; unused for a
            network on clips. Defaults to 8.
        **flow: Arguments of the layer: `type` (by default `'RepFlow'`, see
            :class:`repflow_mm.layers.RepresentationFlow`) and its arguments other than
            `in_channels`. Defaults to `fusion='add', temporal='same'`.

    Returns:
        nn.Module: The same network. The new layer is its child `flow`.

    Raises:
        InputError: If there is no such sub-module, its output is not feature maps, or
            an option is invalid.
    """
    return insert(model, after, frames, flow)


def insert(
    network: nn.Module, after: str, frames: int | None, flow: Mapping | None
) -> nn.Module:
    """:func:`add_motion` with the layer's arguments as a dict."""
    if flow is not None and not isinstance(flow, Mapping):
        raise InputTypeError(
            f'flow must be a dict, such as dict(type="RepFlow"), got {flow!r}'
        )
    if frames is not None:
        check_count('frames (num_segments in a config)', frames)
    kind = type(network).__name__
    if hasattr(network, '_orig_mod'):
        raise InputError('this network is compiled: insert the layer before that')
    if isinstance(network, nn.ModuleDict | nn.ModuleList):
        raise InputError(
            f'{kind} calls each module that it holds, and would call the layer too: '
            "hold it in a module of your own, and name the place in that, 'body.layer2'"
        )
    options = dict(fusion='add', temporal='same') | dict(flow or {})
    shape = probe(network, after, frames)
    if len(shape) == 4:
        what = f'{kind} works frame by frame'
        if frames is None:
            raise InputError(
                f'{what}: set frames (num_segments in a config) to the frames of one '
                'clip, that is, num_clips of SampleFrames'
            )
        if options['temporal'] != 'same':
            raise InputError(
                f"{what} and must keep its frames: set the layer's temporal='same'"
            )
    splice(network, build_layer(options, shape[1]), after, frames)
    return network


def splice(
    network: Any,
    layer: MotionLayer,
    after: str,
    frames: int | None = None,
    before: bool = False,
) -> None:
    """Pass the output of the sub-module `after` through a layer.

    Args:
        network (nn.Module): Modified in place; gets the layer as a child.
        layer (MotionLayer): Maps `(N, C, T, H, W)` to the same channels.
        after (str): Name of the sub-module.
        frames (int, optional): Frames per clip if features are `(N * T, C, H, W)`.
        before (bool): Pass the sub-module's input through the layer instead.
    """
    names = chain(('flow',), (f'flow{number}' for number in count(2)))
    taken = {place.name for place in getattr(network, '_motion_places', ())}
    free = next(
        name
        for name in names
        if getattr(network, name, None) is None and name not in taken
    )
    like = next(network.parameters(), torch.empty(0))
    layer.to(like.device, like.dtype).train(network.training)
    setattr(network, free, layer)
    place = _Place(network, free, after, frames, before)
    place.attach()
    if not hasattr(network, '_motion_places'):
        network._motion_places = []
        network.register_forward_pre_hook(_attach)
        network.register_forward_hook(_check_use)
        # Backbones freeze and initialize every norm they find, but the layer has no
        # pretrained state to keep, and its norm may start at zero on purpose.
        network.train = partial(_train, network)
        if type(network).forward is nn.Sequential.forward:
            network.forward = partial(_forward, network)
        if hasattr(type(network), 'init_weights'):
            network.init_weights = partial(_init_weights, network)
    network._motion_places.append(place)


class _Place:
    """Where a layer is inserted; provides the forward hook of its sub-module.

    The hook is a bound method of an object that refers to the network, so that in a
    deepcopy of it, such as EMA's, it calls the copied layer.
    """

    compiled = False  # as part of a region, where no thread can be told

    def __init__(
        self,
        network: nn.Module,
        name: str,
        after: str,
        frames: int | None,
        before: bool,
    ) -> None:
        self.network = network
        self.name = name
        self.after = after
        self.frames = frames
        self.before = before
        self.module: nn.Module | None = None  # the one that is hooked
        self.users: set[int] = set()  # threads whose forward pass has come by

    @property
    def layer(self) -> nn.Module | None:
        """The network's child, None if it was removed."""
        return self.network._modules.get(self.name)

    def attach(self) -> None:
        """Hook the sub-module of this name, if that is another one than before."""
        if self.layer is None:
            return
        try:
            module = self.network.get_submodule(self.after)
        except AttributeError:
            raise InputError(
                f'{self.name} is inserted after {self.after!r}, which '
                f'{type(self.network).__name__} has no more'
            ) from None
        if module is self.module:
            return
        # The former one may go on inside the new one, which wraps or compiles it.
        if self.module is not None:
            for hooks in (self.module._forward_hooks, self.module._forward_pre_hooks):
                for key in [k for k, h in hooks.items() if h in (self.take, self.give)]:
                    del hooks[key]
        if self.before:
            module.register_forward_pre_hook(self.give)
        else:
            module.register_forward_hook(self.take)
        self.module = module

    def give(self, module: nn.Module, args: tuple) -> tuple:
        """The forward pre-hook."""
        return (self._apply(args[0]), *args[1:])

    def take(self, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        """The forward hook."""
        layer = self.layer
        if output.dim() == 5 or layer is None or isinstance(layer, nn.Identity):
            return self._apply(output)
        assert self.frames is not None  # a network over frames has them
        total = output.shape[0]
        if total % self.frames:
            raise InputError(
                f'flow after {self.after!r}: a batch of {total} frames does not '
                f'divide into clips of {self.frames}: set frames (num_segments in a '
                'config) to the frames of one clip as they are sampled (num_clips, in '
                'training and testing alike)'
            )
        clips = output.unflatten(0, (total // self.frames, self.frames))
        return self._apply(clips.transpose(1, 2)).transpose(1, 2).flatten(0, 1)

    def _apply(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            self.users.add(get_ident())
        elif not is_exporting():
            self.compiled = True
        layer = self.layer
        return x if layer is None else layer(x)


def _attach(network: Any, args: tuple) -> None:
    """Hook replaced sub-modules again: conversion to SyncBN replaces norms."""
    if not torch.compiler.is_compiling():
        for place in network._motion_places:
            place.attach()
            place.users.discard(get_ident())


def _check_use(network: Any, args: tuple, output: Any) -> None:
    """Raise `InputError` if the network went past a layer."""
    if torch.compiler.is_compiling():
        return
    for place in network._motion_places:
        passed = place.compiled or get_ident() in place.users
        if not passed and place.layer is not None:
            raise InputError(
                f'{place.name} was not computed: {type(network).__name__} did not call '
                f'{place.after!r}, as with set_grad_checkpointing of timm: choose a '
                'sub-module that it calls, such as the last block of the stage'
            )


def _forward(network: Any, x: Tensor) -> Tensor:
    """`forward` of a Sequential, which would also run the layer as its last step."""
    layers = [place.layer for place in network._motion_places]
    for module in network:
        if module not in layers:
            x = module(x)
    return x


def _layers(network: Any) -> list[MotionLayer]:
    layers = (place.layer for place in network._motion_places)
    return [layer for layer in layers if isinstance(layer, MotionLayer)]


def _train(network: Any, mode: bool = True) -> nn.Module:
    for place in network._motion_places:
        place.attach()  # before it is compiled
    set_mode(_layers(network), partial(type(network).train, network), mode)
    return network


def _init_weights(network: Any, *args, **kwargs) -> None:
    type(network).init_weights(network, *args, **kwargs)
    init_cfg = getattr(network, 'init_cfg', None) or []
    steps = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg
    loads = any(step.get('type') == 'Pretrained' for step in steps)
    if not loads and not getattr(network, 'pretrained', None):
        # Initialized from scratch, so the layers are too; loaded weights are kept.
        for layer in _layers(network):
            layer.reset_parameters()
