"""The figures of `docs/layer.md`.

A texture undergoes exactly known motions, and the solver's flow is drawn beside the
ground truth at the same scale. Every run gives bitwise identical figures.
"""

import numpy as np
import torch
from matplotlib.figure import Figure

from repflow_mm.ops import representation_flow
from repflow_mm.visualization.sheet import Row, draw_sheet, render

SIZE = 96  # pixels of a map
FASTEST = 1.0  # pixels per frame: the speed shown in full colour in every figure
_UNIT = 'pixel per frame'
ITERATIONS = (1, 2, 5, 10, 20, 50, 100)  # drawn
PLOTTED = range(5, 101, 5)
# Flow at (x, y), relative to the centre of the map: pixels, +x right and +y down.
MOTIONS = {
    'right': lambda x, y: (0.7 + 0 * x, 0 * y),
    'down': lambda x, y: (0 * x, 0.7 + 0 * y),
    'turning clockwise': lambda x, y: (-0.015 * y, 0.015 * x),
    'coming nearer': lambda x, y: (0.015 * x, 0.015 * y),
}


def moved_texture(motion: str) -> tuple[np.ndarray, ...]:
    """A smooth random texture before and after one of :data:`MOTIONS`.

    It is a sum of sine waves, so that it is defined between pixels too.

    Args:
        motion (str): A key of :data:`MOTIONS`.

    Returns:
        tuple[np.ndarray, ...]: First and second map `(SIZE, SIZE)` in [0, 255], and the
        true flow `(SIZE, SIZE, 2)` in pixels.
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    angle, phase = rng.uniform(0, 2 * np.pi, (2, 60, 1, 1))
    frequency = 2 * np.pi / rng.uniform(10, 28, (60, 1, 1))  # waves of 10 to 28 pixels

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        along = np.cos(angle) * x + np.sin(angle) * y
        return np.sin(frequency * along + phase).sum(0)

    # The value now at p was at p - flow, to first order in the motion.
    flow = np.stack(MOTIONS[motion](x, y), axis=-1)
    first = texture(x, y)
    second = texture(x - flow[..., 0], y - flow[..., 1])
    low, high = first.min(), first.max()
    scaled = (np.clip(255 * (f - low) / (high - low), 0, 255) for f in (first, second))
    return *scaled, flow


def solve(first: np.ndarray, second: np.ndarray, **options) -> np.ndarray:
    """The solver's flow `(H, W, 2)` between two maps `(H, W)`, in pixels."""
    maps = (torch.from_numpy(f)[None, None] for f in (first, second))
    flow = representation_flow(*maps, backend='reference', **options)
    return torch.stack(flow, dim=-1)[0, 0].numpy()


def end_point_error(flow: np.ndarray, truth: np.ndarray) -> float:
    """Mean end-point error in pixels."""
    return float(np.hypot(*np.moveaxis(flow - truth, -1, 0)).mean())


def known_motions() -> np.ndarray:
    """Draw four motions: true flow, and the solver's after 20 and 100 iterations.

    Returns:
        np.ndarray: `(H, W, 3)`, uint8 RGB.
    """
    first, _, _ = moved_texture('right')
    grey = np.rint(first).astype(np.uint8)[..., None].repeat(3, axis=-1)
    textures = [moved_texture(motion) for motion in MOTIONS]
    rows = [Row('true flow', [*(truth for _, _, truth in textures), grey])]
    for n_iters in (20, 100):
        flows = [solve(first, second, n_iters=n_iters) for first, second, _ in textures]
        errors = [
            f'error {end_point_error(flow, truth):.2f} px'
            for flow, (_, _, truth) in zip(flows, textures, strict=True)
        ]
        rows.append(Row(f'{n_iters} iterations', flows, errors))
    columns = *MOTIONS, 'the map that moves'
    return draw_sheet(rows, columns=columns, unit=_UNIT, scale=FASTEST, size=176)


def convergence() -> np.ndarray:
    """Draw the convergence of the flow of a rotating map, and of the error.

    Returns:
        np.ndarray: `(H, W, 3)`, uint8 RGB.
    """
    first, second, truth = moved_texture('turning clockwise')
    flows = [solve(first, second, n_iters=n_iters) for n_iters in ITERATIONS]
    columns = *map(str, ITERATIONS), 'truth'
    sheet = draw_sheet(
        [Row('flow after\niterations', [*flows, truth])],
        columns=columns,
        unit=_UNIT,
        scale=FASTEST,
        size=112,
    )
    figure = Figure(figsize=(9.2, 3.5), layout='constrained')
    axis = figure.subplots()
    counts = sorted({*ITERATIONS, *PLOTTED})
    for motion, style in (('right', '-'), ('turning clockwise', '--')):
        first, second, truth = moved_texture(motion)
        for label, colour, gradient in (
            ('forward differences (ours)', '#0b6e99', 'forward'),
            ('Sobel, Eq. 10 as printed', '#c4492d', 'sobel'),
        ):
            flows = (
                solve(first, second, n_iters=n, flow_grad=gradient) for n in counts
            )
            errors = [end_point_error(flow, truth) for flow in flows]
            axis.plot(counts, errors, style, color=colour, label=f'{motion}: {label}')
    axis.set(xlabel='iterations', ylabel='mean error, pixels', xlim=(0, 100))
    axis.set_ylim(0, None)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    return np.concatenate((sheet, render(figure, sheet.shape[1])))
