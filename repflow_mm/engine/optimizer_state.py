"""The memory format of an optimizer's state."""

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict


def match_parameters(wrapper: OptimWrapper | OptimWrapperDict) -> None:
    """Lay out an optimizer's state as its parameters are, after it was loaded.

    A checkpoint of a network with the other memory format has the other layout, and
    PyTorch's fused optimizers for CPUs read state and parameters in step, whatever
    their layouts.

    Args:
        wrapper (OptimWrapper | OptimWrapperDict): Its state is replaced where the
            layout differs.
    """
    several = isinstance(wrapper, OptimWrapperDict)
    for each in wrapper.values() if several else [wrapper]:
        for parameter, state in each.optimizer.state.items():
            for name, value in state.items():
                if getattr(value, 'shape', None) != parameter.shape:
                    continue
                if value.stride() != parameter.stride():
                    like = torch.empty_like(parameter, dtype=value.dtype)
                    state[name] = like.copy_(value)
