"""Textures moved by a known amount, and how well a flow method sees it."""

import argparse
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from repflow_mm.errors import one_line_errors
from repflow_mm.ops import representation_flow

MOTIONS = ((0.5, 0.0), (1.0, -0.5))


def moved_textures(
    dx: float,
    dy: float,
    smoothness: float = 3.0,
    count: int = 8,
    size: int = 64,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Smooth random textures before and after a translation.

    White noise under a Gaussian, moved by the phase of its spectrum, which is
    exact for fractions of a pixel, and cut out of a larger tile. All textures
    share one range, as the channels of a clip do in the layer.

    Args:
        dx (float): Motion to the right, in pixels.
        dy (float): Motion downwards, in pixels.
        smoothness (float): Standard deviation of the Gaussian, in pixels.
        count (int): How many textures.
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
        float: Pixels; answering zero everywhere scores the motion's length.
    """
    return (u_x - dx).hypot(u_y - dy).mean().item()


def dual_tvl1(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """OpenCV's TV-L1 with its defaults (5 scales, 5 warps) on the same maps."""
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    flows = [
        solver.calc(*(f.round().byte().numpy() for f in pair), None)
        for pair in zip(first[0], second[0], strict=True)
    ]
    u_x, u_y = torch.from_numpy(np.stack(flows)).unbind(-1)
    return u_x, u_y


@one_line_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Print a table of end-point errors on known motions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        '--smoothness', type=float, default=3.0, help='of the textures, in pixels'
    )
    smoothness = parser.parse_args(argv).smoothness
    rows: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
        'always zero': lambda a, b: (torch.zeros_like(a), torch.zeros_like(a)),
        'representation flow, 20 iterations': representation_flow,
        'representation flow, 100 iterations': lambda a, b: representation_flow(
            a, b, n_iters=100
        ),
        'the same with Eq. 10 as printed, 100': lambda a, b: representation_flow(
            a, b, n_iters=100, flow_grad='sobel'
        ),
        'OpenCV DualTVL1 (pyramid, warping)': dual_tvl1,
    }
    print(
        'Mean end-point error in pixels, Gaussian textures '
        f'({smoothness} pixels) moved by (dx, dy)\n'
    )
    print(f'| method | {" | ".join(map(str, MOTIONS))} |')
    print('|---|' + '---|' * len(MOTIONS))
    for name, method in rows.items():
        errors = (
            end_point_error(*method(*moved_textures(dx, dy, smoothness)), dx, dy)
            for dx, dy in MOTIONS
        )
        print(f'| {name} | {" | ".join(f"{error:.3f}" for error in errors)} |')
