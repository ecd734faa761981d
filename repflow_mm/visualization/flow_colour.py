"""Colour coding of flow with the standard colour wheel (Baker et al., IJCV 2011)."""

from collections.abc import Sequence

import numpy as np

# Pixels per frame: a smaller scale would show noise.
LEAST = 0.05

# Transitions of the wheel: red, yellow, green, cyan, blue, magenta and back to red,
# and how many of its 55 colours each takes (by perceptual similarity).
_TRANSITIONS = (
    (15, (1, 0, 0), (1, 1, 0)),
    (6, (1, 1, 0), (0, 1, 0)),
    (4, (0, 1, 0), (0, 1, 1)),
    (11, (0, 1, 1), (0, 0, 1)),
    (13, (0, 0, 1), (1, 0, 1)),
    (6, (1, 0, 1), (1, 0, 0)),
)
WHEEL = np.concatenate(
    [
        np.array(start) + np.arange(n)[:, None] / n * (np.array(end) - np.array(start))
        for n, start, end in _TRANSITIONS
    ]
)


def flow_scale(flows: Sequence[np.ndarray]) -> float:
    """The speed to show in full colour, common to pictures that are compared.

    The 99th percentile, so that outliers do not wash out the rest, and motion in a
    small part of a static picture keeps its colour.

    Args:
        flows (Sequence[np.ndarray]): `(..., 2)` each, pixels.

    Returns:
        float: Speed in pixels, at least :data:`LEAST`.
    """
    speeds = [np.hypot(flow[..., 0], flow[..., 1]).ravel() for flow in flows]
    return max(float(np.percentile(np.concatenate(speeds), 99)), LEAST)


def flow_to_rgb(flow: np.ndarray, max_flow: float | None = None) -> np.ndarray:
    """Colour a flow field: hue is direction, saturation is speed.

    Right is red, down yellow, left cyan to blue, up violet; no motion is white.

    Args:
        flow (np.ndarray): `(H, W, 2)`, pixels, +x right and +y down.
        max_flow (float, optional): Speed of full saturation; higher speeds saturate.
            Use the same value for pictures to be compared. Defaults to the largest
            speed in `flow`.

    Returns:
        np.ndarray: `(H, W, 3)`, RGB, uint8.

    Raises:
        ValueError: If the shape is wrong or `max_flow` is not positive.
    """
    if flow.ndim != 3 or flow.shape[-1] != 2:
        raise ValueError(f'flow must have shape (H, W, 2), got {flow.shape}')
    speed = np.hypot(flow[..., 0], flow[..., 1])
    if max_flow is None:
        max_flow = max(float(speed.max()), 1e-6)
    if not max_flow > 0:
        raise ValueError(f'max_flow must be > 0, got {max_flow}')
    saturation = np.minimum(speed / max_flow, 1)[..., None]
    turn = np.arctan2(-flow[..., 1], -flow[..., 0]) / (2 * np.pi) + 0.5
    position = turn % 1 * len(WHEEL)
    below = position.astype(int) % len(WHEEL)
    share = (position - np.floor(position))[..., None]
    hue = (1 - share) * WHEEL[below] + share * WHEEL[(below + 1) % len(WHEEL)]
    return np.rint(255 * (1 - saturation * (1 - hue))).astype(np.uint8)


def colour_wheel(size: int = 151) -> np.ndarray:
    """The legend: a disc coloured by direction from the centre.

    Args:
        size (int): Height and width in pixels.

    Returns:
        np.ndarray: `(size, size, 4)`, RGBA, uint8, transparent outside the disc.
    """
    axis = np.linspace(-1, 1, size)
    flow = np.stack(np.meshgrid(axis, axis), axis=-1)
    inside = np.hypot(flow[..., 0], flow[..., 1]) <= 1
    alpha = np.where(inside, 255, 0).astype(np.uint8)
    return np.dstack((flow_to_rgb(flow, 1.0), alpha))
