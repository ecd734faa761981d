"""Which channels of a flow to show, and in which scale."""

from collections.abc import Sequence

import numpy as np

# A scale below this, in pixels per frame, would show noise.
LEAST = 0.05


def most_active(flow: np.ndarray, top: int) -> list[int]:
    """The channels that move most.

    Args:
        flow (np.ndarray): `(T, C, H, W, 2)`, pixels.
        top (int): How many.

    Returns:
        list[int]: Their numbers, the most active first, by their mean speed.
    """
    speed = np.hypot(flow[..., 0], flow[..., 1]).mean(axis=(0, 2, 3))
    return [int(channel) for channel in (-speed).argsort(kind='stable')[:top]]


def shared_scale(flows: Sequence[np.ndarray]) -> float:
    """The speed of full colour for pictures that are to be compared.

    Args:
        flows (Sequence[np.ndarray]): `(..., 2)` each, pixels.

    Returns:
        float: The 95th percentile of all speeds, so that outliers do not make
        the rest pale; at least 0.05 pixels.
    """
    speeds = [np.hypot(flow[..., 0], flow[..., 1]).ravel() for flow in flows]
    return max(float(np.quantile(np.concatenate(speeds), 0.95)), LEAST)
