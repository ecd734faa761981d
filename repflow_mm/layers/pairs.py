"""Pairs of neighbouring frames as a batch."""

from collections.abc import Callable

from torch import Tensor


def of_pairs(
    function: Callable[[Tensor, Tensor], tuple[Tensor, ...]], maps: Tensor
) -> tuple[Tensor, ...]:
    """Call a function on all pairs of neighbouring frames at once.

    Args:
        function (Callable): Takes the first and the second maps of the pairs,
            `(N, C, H, W)`, and returns tensors `(N, C', H, W)`.
        maps (Tensor): Clips `(N, C, T, H, W)`.

    Returns:
        tuple[Tensor, ...]: Its results, `(N, C', T - 1, H, W)`.
    """
    frames = maps.transpose(1, 2)
    n, t, *map_shape = frames.shape
    first, second = (
        part.reshape(n * (t - 1), *map_shape)
        for part in (frames[:, :-1], frames[:, 1:])
    )
    return tuple(
        result.unflatten(0, (n, t - 1)).transpose(1, 2)
        for result in function(first, second)
    )
