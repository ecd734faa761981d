"""Textures moved by a known amount, and the end-point error of a flow estimate."""

import numpy as np
import torch
from torch import Tensor


def moved_textures(
    dx: float,
    dy: float,
    smoothness: float = 3.0,
    count: int = 8,
    size: int = 64,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Smooth random textures before and after a translation.

    White noise blurred by a Gaussian, moved by a phase shift of its spectrum (exact
    for fractions of a pixel), and cropped from a larger tile. All textures share one
    range, like the channels of a clip in the layer.

    Args:
        dx (float): Motion to the right, in pixels.
        dy (float): Motion downwards, in pixels.
        smoothness (float): Standard deviation of the Gaussian, in pixels.
        count (int): Number of textures.
        size (int): Height and width in pixels.
        seed (int): Seeds the textures.

    Returns:
        tuple[Tensor, Tensor]: First and second maps `(1, count, size, size)` in
        [0, 255], fp64.
    """
    tile = 2 * size
    rng = np.random.default_rng(seed)
    f_x = np.fft.fftfreq(tile)
    f_y = f_x[:, None]
    blur = np.exp(-2 * (np.pi * smoothness) ** 2 * (f_x**2 + f_y**2))
    spectrum = np.fft.fft2(rng.standard_normal((count, tile, tile))) * blur
    moved = spectrum * np.exp(-2j * np.pi * (f_x * dx + f_y * dy))
    pair = np.fft.ifft2((spectrum, moved)).real[..., :size, :size]
    pair = 255 * (pair - pair.min()) / np.ptp(pair)
    first, second = torch.from_numpy(pair)[:, None]
    return first, second


def end_point_error(u_x: Tensor, u_y: Tensor, dx: float, dy: float) -> float:
    """Mean distance in pixels between a flow field and the true motion.

    Args:
        u_x (Tensor): Flow in x, any shape.
        u_y (Tensor): Flow in y, same shape.
        dx (float): True motion in x.
        dy (float): True motion in y.

    Returns:
        float: Pixels; zero flow scores the length of the motion.
    """
    return (u_x - dx).hypot(u_y - dy).mean().item()
