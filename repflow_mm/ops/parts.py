"""Operations on many independent maps, with the memory of a few of them."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from repflow_mm.ops.exporting import is_exporting
from repflow_mm.ops.transforms import is_transformed


def in_parts(
    function: Callable[..., tuple[Tensor, ...]], count: int, *maps: Tensor
) -> tuple[Tensor, ...]:
    """Call a function on a few maps at a time, and again in the backward pass.

    Only `maps` are kept for the backward pass, not what the function computes between
    them and its results. A program recorded for export has all maps in one call, since
    it takes any number of them.

    Args:
        function (Callable): Takes tensors `(n, ...)` and returns some; the maps of a
            tensor must be independent of each other.
        count (int): Number of maps `n` per call.
        *maps (Tensor): The function's arguments, `(N, ...)`.

    Returns:
        tuple[Tensor, ...]: Its results, `(N, ...)`.
    """
    if is_exporting():
        return function(*maps)
    if torch.is_grad_enabled() and not is_transformed():  # which has no checkpoints
        function = partial(
            checkpoint, function, use_reentrant=False, preserve_rng_state=False
        )
    parts = [
        function(*part)
        for part in zip(*(tensor.split(count) for tensor in maps), strict=True)
    ]
    return tuple(torch.cat(results) for results in zip(*parts, strict=True))
