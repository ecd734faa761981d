"""Training and evaluation mode of motion layers inside networks that freeze stages."""

from collections.abc import Callable, Iterable

from repflow_mm.layers.base import MotionLayer


def set_mode(
    layers: Iterable[MotionLayer], train: Callable[[bool], object], mode: bool
) -> None:
    """Set the mode of a network that freezes norms, but not of its motion layers.

    A layer keeps `requires_grad` as the user set it. A layer that is frozen completely
    stays in evaluation mode, which freezes its statistics too.

    Args:
        layers (Iterable[MotionLayer]): The network's motion layers.
        train (Callable): The network's own `train`.
        mode (bool): True for training, False for evaluation.
    """
    learns = {p: p.requires_grad for layer in layers for p in layer.parameters()}
    train(mode)
    for parameter, requires_grad in learns.items():
        parameter.requires_grad_(requires_grad)
    for layer in layers:
        layer.train(mode and any(learns[p] for p in layer.parameters()))
