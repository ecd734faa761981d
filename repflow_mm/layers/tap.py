"""Capture the flow of motion layers while a network runs."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from repflow_mm.layers.base import MotionLayer


def motion_layers(model: nn.Module) -> dict[str, MotionLayer]:
    """The motion layers of a network.

    Args:
        model (nn.Module): Any network.

    Returns:
        dict[str, MotionLayer]: By name, in the network's order. A layer made of other
        motion layers is replaced by those.
    """
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, MotionLayer)
    }
    # The name of the network itself is empty.
    whole = {parent for name in found for parent in _parents(name)}
    return {name: layer for name, layer in found.items() if name not in whole}


def _parents(name: str) -> list[str]:
    """Names of the modules around one, `''` for the network."""
    parts = name.split('.') if name else []
    return ['.'.join(parts[:depth]) for depth in range(len(parts))]


class FlowTap:
    """Captures the inputs of a network's motion layers, to compute their flow.

    A context manager: the hooks are registered between `__enter__` and `__exit__`. With
    `torch.compile`, enter it before the first forward pass.

    Args:
        model (nn.Module): Any network.
        at_once (bool): Compute the flow within the forward pass, under its autocast,
            and keep that instead: in training, the parameters have changed by the end
            of the iteration. Defaults to False.

    Attributes:
        layers (dict[str, MotionLayer]): From :func:`motion_layers`.
        inputs (dict[str, Tensor]): By layer, its first input features
            `(N, C, T, H, W)` since :meth:`clear`, detached. Empty with `at_once`.
        flows (dict[str, Tensor | None]): With `at_once`, the result of :meth:`flow`.
        listening (bool): Whether to capture anything. Defaults to True.
    """

    def __init__(self, model: nn.Module, at_once: bool = False) -> None:
        self.layers = motion_layers(model)
        self.inputs: dict[str, Tensor] = {}
        self.flows: dict[str, Tensor | None] = {}
        self.listening = True
        self._at_once = at_once
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> 'FlowTap':
        # A neck gets lists, or several views concatenated; what it passes to `fuse`
        # is the separate clips.
        self._handles = [
            layer.fuse.register_forward_pre_hook(partial(self._keep, name))
            for name, layer in self.layers.items()
        ]
        return self

    def __exit__(self, *error) -> None:
        while self._handles:
            self._handles.pop().remove()

    def clear(self) -> None:
        """Discard inputs and flows."""
        self.inputs, self.flows = {}, {}

    @torch.no_grad()
    def flow(self, name: str, n_iters: int | None = None) -> Tensor | None:
        """The flow of a layer for its captured input.

        Args:
            name (str): The layer, a key of `inputs`.
            n_iters (int, optional): As for :meth:`MotionLayer.flow`.

        Returns:
            Tensor | None: `(N, C', T - 1, H, W, 2)`, fp32 (x then y), in pixels of the
            feature map; None if the layer computes no flow.
        """
        return _flow_of(self.layers[name], self.inputs[name], n_iters)

    def _keep(self, name: str, fuse: nn.Module, args: tuple[Tensor, ...]) -> None:
        # Only the first call: a shared layer is used twice in a flow of flow.
        if not self.listening or name in self.inputs or name in self.flows:
            return
        if self._at_once:
            self.flows[name] = _flow_of(self.layers[name], args[0])
        else:
            self.inputs[name] = args[0].detach()


@torch.no_grad()
def _flow_of(
    layer: MotionLayer, x: Tensor, n_iters: int | None = None
) -> Tensor | None:
    """The flow of a layer for given features, see :meth:`FlowTap.flow`."""
    # Captured under autocast, but called outside it.
    like = next(layer.parameters(), x)
    flow = layer.flow(x.to(like.dtype), n_iters)
    return None if flow is None else torch.stack(flow, dim=-1).float()
