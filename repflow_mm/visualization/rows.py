"""Rows of pictures over time, with their flows in one scale and its legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repflow_mm.files import atomic_path
from repflow_mm.visualization.choice import shared_scale
from repflow_mm.visualization.flow_colour import colour_wheel, flow_to_rgb

_TILE = 1.45  # inches
_ARROWS = 10  # along the longer side


@dataclass(frozen=True)
class Row:
    """One row of pictures.

    Args:
        label (str): What stands before it.
        tiles (np.ndarray): Pictures `(T, H, W, 3)`, uint8 RGB, or flows
            `(T, H, W, 2)`, in pixels, +x right and +y down.
    """

    label: str
    tiles: np.ndarray


def draw_rows(
    rows: Sequence[Row],
    path: Path,
    title: str,
    times: Sequence[str],
    unit: str = '',
    arrows: bool = False,
) -> Path:
    """Draw rows of equally many tiles; all flows share one scale.

    Args:
        rows (Sequence[Row]): From top to bottom.
        path (Path): The PNG file to write; its folder is made.
        title (str): Above all.
        times (Sequence[str]): Above each column.
        unit (str): Of the flows, if there are, for the legend.
        arrows (bool): Arrows on the flows too. Defaults to False.

    Returns:
        Path: `path`.
    """
    flows = [row.tiles for row in rows if row.tiles.shape[-1] == 2]
    height, width = rows[0].tiles.shape[1:3]
    tall = min(max(height / width, 0.5), 2) * _TILE
    wide, beside = len(times) * _TILE + 0.7, 2.2 if flows else 0
    figure = Figure(
        figsize=(wide + beside, len(rows) * tall + 0.75), layout='constrained'
    )
    figure.suptitle(title, fontsize=11)
    pictures = figure
    scale = 1.0
    if flows:
        scale = shared_scale(flows)
        pictures, legend = figure.subfigures(1, 2, width_ratios=(wide, beside))
        _legend(legend.subplots(), scale, unit)
    axes = pictures.subplots(len(rows), len(times), squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        line[0].set_ylabel(row.label, fontsize=9)
        for tile, axis in zip(row.tiles, line, strict=True):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_color('0.8')
            if tile.shape[-1] == 2:
                axis.imshow(flow_to_rgb(tile, scale), interpolation='nearest')
                if arrows:
                    _arrows(axis, tile, scale)
            else:
                axis.imshow(tile)
    for axis, time in zip(axes[0], times, strict=True):
        axis.set_title(time, fontsize=9)
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, dpi=110)
    return path


def _legend(wheel: Axes, scale: float, unit: str) -> None:
    wheel.imshow(colour_wheel(), extent=(-scale, scale, scale, -scale))
    wheel.set_title('direction and speed', fontsize=9)
    wheel.set_xlabel(unit, fontsize=8)
    wheel.tick_params(labelsize=8)
    wheel.spines[:].set_visible(False)


def _arrows(axis: Axes, flow: np.ndarray, scale: float) -> None:
    """An arrow of the mean flow of each cell; full speed is a cell long."""
    cell = max(1, -(-max(flow.shape[:2]) // _ARROWS))
    height, width = (size // cell for size in flow.shape[:2])
    cells = flow[: height * cell, : width * cell]
    mean = cells.reshape(height, cell, width, cell, 2).mean(axis=(1, 3))
    centre = (cell - 1) / 2
    y, x = np.mgrid[:height, :width] * cell + centre
    axis.quiver(
        x,
        y,
        mean[..., 0] * cell / scale,
        mean[..., 1] * cell / scale,
        angles='xy',
        scale_units='xy',
        scale=1,
        width=0.006,
        headwidth=4,
    )
