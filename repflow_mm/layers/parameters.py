"""The weights of a network that belong to its motion layers."""

from torch import nn

from repflow_mm.layers.base import MotionLayer


def slow_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters with 1/100 of the learning rate and no weight decay.

    Args:
        model (nn.Module): Any network.

    Returns:
        dict[str, nn.Parameter]: By name, in the network's order; each parameter once.
        See :meth:`repflow_mm.layers.MotionLayer.slow_parameters`.
    """
    slow = {
        id(parameter)
        for layer in model.modules()
        if isinstance(layer, MotionLayer)
        for parameter in layer.slow_parameters()
    }
    return {name: p for name, p in model.named_parameters() if id(p) in slow}


def motion_prefixes(model: nn.Module) -> tuple[str, ...]:
    """Name prefixes of the motion layers' weights, for `str.startswith`.

    Args:
        model (nn.Module): Any network that is not itself a motion layer.

    Returns:
        tuple[str, ...]: For example `('backbone.flow.',)`.
    """
    return tuple(
        f'{name}.'
        for name, layer in model.named_modules()
        if isinstance(layer, MotionLayer)
    )
