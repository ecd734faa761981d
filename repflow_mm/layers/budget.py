"""The width of a layer, by its number of parameters: for comparisons of layers."""

from bisect import bisect_left
from collections.abc import Callable

import torch
from torch import nn

from repflow_mm.checks import check_choice, check_count
from repflow_mm.errors import InputError

BUDGETS = ('native', 'equal')


def choose_width(
    build: Callable[[int], nn.Module],
    in_channels: int,
    flow_channels: int | None,
    budget: str,
    native: int,
) -> int:
    """The width `C'` of a layer's bottleneck, as its arguments say.

    Args:
        build (Callable): Builds the layer, without fusion, for a width.
        in_channels (int): The layer's channels, `C`.
        flow_channels (int, optional): The width; None to follow `budget`.
        budget (str): `'native'` or `'equal'`: as many parameters as `RepFlow` with 32
            flow channels, within 2 %.
        native (int): The width for `'native'`.

    Returns:
        int: The width.

    Raises:
        InputError: On an unknown budget, a budget beside a width, and if no width has
            the parameters.
    """
    check_choice('budget', budget, BUDGETS)
    if flow_channels is not None:
        check_count('flow_channels', flow_channels)
        if budget != 'native':
            raise InputError(
                f'flow_channels={flow_channels} and budget={budget!r} both set the '
                'width: remove one'
            )
        return flow_channels
    if budget == 'native':
        return native
    # RepFlow's two 1x1 convolutions, batch norm and solver.
    goal = (3 * 32 + 2) * in_channels + 7

    def excess(width: int) -> int:
        # Not on the device 'meta', whose first use takes seconds.
        with torch.device('cpu'), torch.random.fork_rng(devices=()):
            layer = build(width)
        return sum(p.numel() for p in layer.parameters()) - goal

    # Each channel has a weight per input channel, at least.
    above = 1 + bisect_left(range(1, 100), 0, key=excess)
    best = min(max(above - 1, 1), above, key=lambda width: abs(excess(width)))
    if abs(excess(best)) > 0.02 * goal:
        raise InputError(
            f"no width gives the layer RepFlow's {goal} parameters for in_channels="
            f'{in_channels}: flow_channels={best} gives {goal + excess(best)}; set '
            'flow_channels instead of budget'
        )
    return best
