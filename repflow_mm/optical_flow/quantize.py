"""Flow as 8-bit pictures, as datasets of flow store it."""

import math

import numpy as np

from repflow_mm.errors import InputError

BOUND = 20  # pixels, as in published recipes
ZERO = 128  # no motion


def quantize(flow: np.ndarray, bound: float) -> np.ndarray:
    """Clip flow to `[-bound, bound]` and store it in a byte, as denseflow does.

    Args:
        flow (np.ndarray): Any shape, in pixels.
        bound (float): Largest motion, in pixels.

    Returns:
        np.ndarray: Same shape, uint8, rounded; 0 pixels is 128, and a step is
        `2 * bound / 255` pixels. (MMAction2's own script truncates: 0 is 127.)
    """
    return np.rint((np.clip(flow, -bound, bound) + bound) * (127.5 / bound)).astype(
        np.uint8
    )


def dequantize(values: np.ndarray, bound: float) -> np.ndarray:
    """The pixels that quantized flow stands for.

    Args:
        values (np.ndarray): Any shape, uint8.
        bound (float): As for :func:`quantize`.

    Returns:
        np.ndarray: Same shape, fp32; 128 is 0.
    """
    return (values - np.float32(ZERO)) * np.float32(bound / 127.5)


def rescaled(values: np.ndarray, x: float, y: float) -> np.ndarray:
    """Quantized flow of a resized picture, in pixels of that picture.

    Args:
        values (np.ndarray): `(..., 2)`, uint8.
        x (float): New width over old width.
        y (float): New height over old height.

    Returns:
        np.ndarray: Same shape, uint8.
    """
    motion = (values - np.float32(ZERO)) * np.array((x, y), np.float32)
    return np.clip(np.rint(motion + ZERO), 0, 255).astype(np.uint8)


def is_flow(picture: np.ndarray) -> bool:
    """Whether a picture is flow: one of two channels."""
    return picture.ndim == 3 and picture.shape[-1] == 2


def check_bound(bound: float) -> float:
    """The largest motion as a float.

    Raises:
        InputError: If it is not a number of pixels above 0.
    """
    number = isinstance(bound, int | float) and math.isfinite(bound)
    if not number or bound <= 0:
        raise InputError(f'bound must be a number of pixels above 0, got {bound!r}')
    return float(bound)
