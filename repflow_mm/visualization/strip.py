"""Small pictures in rows, such as frames and the flow between them."""

from collections.abc import Sequence

import numpy as np

from repflow_mm.visualization.choice import most_active, shared_scale
from repflow_mm.visualization.flow_colour import colour_wheel, flow_to_rgb

_BACKGROUND = 215  # light grey: no motion is white


def strip(
    rows: Sequence[Sequence[np.ndarray]], size: int = 112, gap: int = 3
) -> np.ndarray:
    """Put pictures into rows and columns.

    Args:
        rows (Sequence[Sequence[np.ndarray]]): Pictures `(H, W, 3)`, RGB, uint8, of any
            sizes; a shorter row leaves background at its end.
        size (int): The height that each picture gets, in pixels; all get the width
            that the first one then has. Enlarged, each pixel stays a block; shrunk,
            blocks are averaged. Defaults to 112.
        gap (int): Pixels between and around them. Defaults to 3.

    Returns:
        np.ndarray: RGB, uint8.

    Raises:
        ValueError: If there is no picture, or one of another shape or dtype.
    """
    pictures = [picture for row in rows for picture in row]
    if not pictures:
        raise ValueError('there are no pictures to put into rows')
    for picture in pictures:
        if picture.ndim != 3 or picture.shape[-1] != 3 or picture.dtype != np.uint8:
            raise ValueError(
                f'pictures must be (H, W, 3) and uint8, got {picture.shape} and '
                f'{picture.dtype}'
            )
    height, width = pictures[0].shape[:2]
    width = max(round(size * width / height), 1)
    down, right = size + gap, width + gap
    columns = max(map(len, rows))
    canvas = np.full(
        (gap + len(rows) * down, gap + columns * right, 3), _BACKGROUND, np.uint8
    )
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = gap + i * down, gap + j * right
            canvas[top : top + size, left : left + width] = _resize(
                picture, size, width
            )
    return canvas


def flow_strip(
    frames: np.ndarray,
    flow: np.ndarray,
    channels: int = 3,
    columns: int = 8,
    size: int = 112,
) -> np.ndarray:
    """Frames of a clip, below them the flow of its most active channels.

    One scale for all of it, see :func:`shared_scale`. The legend, the colour wheel, is
    at the end.

    Args:
        frames (np.ndarray): `(T, H, W, 3)`, RGB, uint8.
        flow (np.ndarray): `(C, T', h, w, 2)`, `T' < T` for one clip, +x right and +y
            down. What is not finite is drawn as no motion.
        channels (int): How many channels. Defaults to 3.
        columns (int): How many moments, evenly over the clip. Defaults to 8.
        size (int): As for :func:`strip`.

    Returns:
        np.ndarray: RGB, uint8.
    """
    flow = np.nan_to_num(flow, posinf=0, neginf=0)
    shown = most_active(flow.swapaxes(0, 1), channels)
    scale = shared_scale([flow[shown]])

    pairs = flow.shape[1]
    moments = np.linspace(0, pairs - 1, min(columns, pairs)).round().astype(int)
    # A network may have fewer frames where its flow layer is than came in.
    rows = [[frames[t * len(frames) // (pairs + 1)] for t in moments]]
    rows += [[flow_to_rgb(flow[c, t], scale) for t in moments] for c in shown]
    wheel = colour_wheel(size).astype(float)
    opaque = wheel[..., 3:] / 255
    legend = opaque * wheel[..., :3] + (1 - opaque) * _BACKGROUND
    rows[0].append(legend.astype(np.uint8))
    return strip(rows, size)


def _resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Blocks of pixels to pixels (their mean), or pixels to blocks."""
    for axis, size in enumerate((height, width)):
        start = np.arange(size) * picture.shape[axis] // size
        count = np.maximum(np.diff(start, append=picture.shape[axis]), 1)
        # Where the next one starts at the same pixel, reduceat takes that pixel.
        total = np.add.reduceat(picture, start, axis, dtype=float)
        picture = total / count.reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    return np.rint(picture).astype(np.uint8)
