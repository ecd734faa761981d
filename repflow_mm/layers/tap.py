"""The flow of motion layers while a network runs."""

from functools import partial

import torch
from torch import Tensor, nn

from repflow_mm.layers.base import MotionLayer


def motion_layers(model: nn.Module) -> dict[str, MotionLayer]:
    """The motion layers of a network.

    Args:
        model (nn.Module): Any network.

    Returns:
        dict[str, MotionLayer]: By name, in the network's order. Of a layer that is made
        of others, those.
    """
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, MotionLayer)
    }
    return {
        name: layer
        for name, layer in found.items()
        if not any(other.startswith(f'{name}.') for other in found)
    }


class FlowTap:
    """Keeps what the motion layers of a network are given, for their flow.

    A context manager: the hooks are there from `__enter__` to `__exit__`. Behind
    `torch.compile`, enter it before the first forward pass.

    Args:
        model (nn.Module): Any network.

    Attributes:
        layers (dict[str, MotionLayer]): From :func:`motion_layers`.
        inputs (dict[str, Tensor]): By layer, the features `(N, C, T, H, W)` that it was
            given first since :meth:`clear`, detached.
        listening (bool): Whether inputs are kept. Defaults to True.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = motion_layers(model)
        self.inputs: dict[str, Tensor] = {}
        self.listening = True
        self._handles = []

    def __enter__(self) -> 'FlowTap':
        self._handles = [
            layer.register_forward_pre_hook(partial(self._keep, name))
            for name, layer in self.layers.items()
        ]
        return self

    def __exit__(self, *error) -> None:
        while self._handles:
            self._handles.pop().remove()

    def clear(self) -> None:
        """Forget the inputs."""
        self.inputs = {}

    @torch.no_grad()
    def flow(self, name: str, n_iters: int | None = None) -> Tensor | None:
        """The flow of a layer for what it was given.

        Args:
            name (str): The layer.
            n_iters (int, optional): As for :meth:`MotionLayer.flow`.

        Returns:
            Tensor | None: `(N, C', T - 1, H, W, 2)`, fp32 (x then y), in pixels of the
            feature map; None where the layer computes no flow.
        """
        flow = self.layers[name].flow(self.inputs[name], n_iters)
        return None if flow is None else torch.stack(flow, dim=-1).float()

    def _keep(self, name: str, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        if self.listening:
            # The first time: a layer may be used twice, in the flow of its own flow.
            self.inputs.setdefault(name, args[0].detach())
