"""Grids of frames and flows at a common scale, with a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from repflow_mm.errors import shorten
from repflow_mm.files import atomic_path
from repflow_mm.visualization.flow_colour import (
    colour_wheel,
    flow_scale,
    flow_to_rgb,
)
from repflow_mm.visualization.fonts import text_font

PAPER, INK, QUIET, EDGE = '#ffffff', '#1f2328', '#656d76', '#d0d7de'
_GAP = 6
_ARROWS = 10  # along the longer side of a tile
_FINE = 4  # supersampling factor for arrows
_DPI = 110  # of figures below a sheet


@dataclass(frozen=True)
class Row:
    """One row of tiles.

    Args:
        label (str): Row label.
        tiles (Sequence[np.ndarray]): Pictures `(H, W, 3)`, uint8 RGB, and flows
            `(h, w, 2)`, in pixels, +x right and +y down.
        notes (Sequence[str]): Captions below the tiles. Defaults to none.
    """

    label: str
    tiles: Sequence[np.ndarray]
    notes: Sequence[str] = ()


def draw_sheet(
    rows: Sequence[Row],
    heading: str = '',
    columns: Sequence[str] = (),
    unit: str = '',
    scale: float | None = None,
    arrows: bool = False,
    size: int = 168,
) -> np.ndarray:
    """Draw rows of tiles. All flows share one scale; the colour wheel is the legend.

    Args:
        rows (Sequence[Row]): Rows from top to bottom.
        heading (str): Title of the sheet. Defaults to none.
        columns (Sequence[str]): Column titles. Defaults to none.
        unit (str): Unit of the flows, for the legend.
        scale (float, optional): Speed of full colour. Defaults to :func:`flow_scale` of
            all flows.
        arrows (bool): Draw arrows on the flows. Defaults to False.
        size (int): Longer side of a tile in pixels; the aspect ratio is that of the
            first tile, at most 2:1. Defaults to 168.

    Returns:
        np.ndarray: `(H, W, 3)`, uint8 RGB.

    Raises:
        ValueError: If there are no tiles, or a tile is neither a picture nor a flow.
    """
    tiles = [tile for row in rows for tile in row.tiles]
    if not tiles:
        raise ValueError('there are no tiles to draw')
    flows = [tile for tile in tiles if _is_flow(tile)]
    if flows and scale is None:
        scale = flow_scale(flows)
    height, width = tiles[0].shape[:2]
    box = (
        round(size * min(max(width / height, 0.5), 1)),
        round(size * min(max(height / width, 0.5), 1)),
    )
    notes = [note for row in rows for note in row.notes]
    labels = [row.label for row in rows]
    font = text_font(13, ''.join((*labels, *columns, *notes)))
    gutter = max(_extent(label, font)[0] for label in labels)
    left = 10 + gutter + (10 if gutter else 0)
    head = 34 if heading else 10
    top = head + max((_extent(text, font)[1] for text in columns), default=-6) + 6
    below = max((_extent(note, font)[1] + 4 for note in notes), default=0)
    down, right = box[1] + below + _GAP, box[0] + _GAP
    legend = _legend(scale, unit) if flows else None
    end = left + max(len(row.tiles) for row in rows) * right - _GAP + 10
    bottom = top + len(rows) * down - _GAP + 10
    canvas_size = (
        end + (legend.width + 10 if legend else 0),
        max(bottom, top + legend.height + 10 if legend else 0),
    )
    canvas = Image.new('RGB', canvas_size, PAPER)
    draw = ImageDraw.Draw(canvas)
    room = canvas.width - 20
    large = text_font(15, heading)
    while heading and large.getlength(heading) > room and len(heading) > 8:
        heading = shorten(heading, len(heading) - 8)
    draw.text((10, 8), heading, INK, large)
    for place, text in enumerate(columns):
        middle = left + place * right + box[0] / 2
        draw.text((middle, top - 6), text, INK, font, anchor='md', align='center')
    for line, row in enumerate(rows):
        y = top + line * down
        middle = left - 10, y + box[1] / 2
        draw.text(middle, row.label, INK, font, anchor='rm', align='right')
        for place, tile in enumerate(row.tiles):
            corner = left + place * right, y
            canvas.paste(draw_tile(tile, box, scale, arrows), corner)
        for place, note in enumerate(row.notes):
            middle = left + place * right + box[0] / 2, y + box[1] + 3
            draw.text(middle, note, QUIET, font, anchor='ma', align='center')
    if legend:
        canvas.paste(legend, (end, top))
    return np.asarray(canvas)


def draw_tile(
    tile: np.ndarray,
    box: tuple[int, int],
    scale: float | None = None,
    arrows: bool = False,
) -> Image.Image:
    """Draw a picture or a flow at a given size.

    Args:
        tile (np.ndarray): As in :class:`Row`. Flow is enlarged without interpolation.
        box (tuple[int, int]): Width and height in pixels.
        scale (float, optional): Speed of full colour, for a flow.
        arrows (bool): Draw arrows on a flow. Defaults to False.

    Returns:
        Image.Image: RGB.

    Raises:
        ValueError: If the tile is neither a picture nor a flow.
    """
    if not _is_flow(tile):
        if tile.ndim != 3 or tile.shape[-1] != 3 or tile.dtype != np.uint8:
            raise ValueError(
                'a tile is (H, W, 3) uint8 or a flow (H, W, 2), got '
                f'{tile.shape} {tile.dtype}'
            )
        return Image.fromarray(tile).resize(box, Image.Resampling.BICUBIC)
    picture = Image.fromarray(flow_to_rgb(tile, scale))
    if arrows:
        picture = picture.resize([_FINE * side for side in box], Image.Resampling.BOX)
        _draw_arrows(picture, tile, scale)
    picture = picture.resize(box, Image.Resampling.BOX)
    # An outline, since both no motion and the background are white.
    ImageDraw.Draw(picture).rectangle((0, 0, box[0] - 1, box[1] - 1), outline=EDGE)
    return picture


@lru_cache
def draw_wheel(size: int) -> Image.Image:
    """The colour wheel on the background colour, `size` pixels high and wide."""
    wheel = Image.fromarray(colour_wheel(4 * size))
    picture = Image.new('RGB', wheel.size, PAPER)
    picture.paste(wheel, (0, 0), wheel)
    return picture.resize((size, size), Image.Resampling.BOX)


def render(figure, width: int) -> np.ndarray:
    """Render a matplotlib figure to pixels, to be placed below a sheet.

    Args:
        figure (matplotlib.figure.Figure): The figure; its height in inches is kept.
        width (int): Width of the picture in pixels.

    Returns:
        np.ndarray: `(H, width, 3)`, uint8 RGB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DPI)
    figure.set_figwidth((width + 0.5) / _DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :width, :3]


def save_png(picture: np.ndarray, path: Path) -> Path:
    """Write a picture `(H, W, 3)`, uint8 RGB, atomically, creating its folder."""
    with atomic_path(path) as unfinished:
        Image.fromarray(picture).save(unfinished, format='PNG')
    return path


def _is_flow(tile: np.ndarray) -> bool:
    return tile.ndim == 3 and tile.shape[-1] == 2


def _extent(text: str, font: ImageFont.FreeTypeFont) -> tuple[int, int]:
    lines = text.split('\n') if text else []
    width = max((font.getlength(line) for line in lines), default=0)
    return round(width), 17 * len(lines)


def _legend(scale: float, unit: str) -> Image.Image:
    """The colour wheel and its scale."""
    font = text_font(13)
    text = f'full colour: {scale:.2g}\n{unit}'.strip()
    width, height = _extent(text, font)
    width = max(width, 120)
    legend = Image.new('RGB', (width + 10, 144 + height), PAPER)
    draw = ImageDraw.Draw(legend)
    draw.text((width / 2, 0), 'direction and speed', INK, font, anchor='ma')
    legend.paste(draw_wheel(112), (width // 2 - 56, 22))
    draw.text((width / 2, 140), text, QUIET, font, anchor='ma', align='center')
    return legend


def _draw_arrows(picture: Image.Image, flow: np.ndarray, scale: float) -> None:
    """Draw the mean flow of each cell as an arrow; full speed fills the cell."""
    cell = max(1, -(-max(flow.shape[:2]) // _ARROWS))
    height, width = (size // cell for size in flow.shape[:2])
    cells = flow[: height * cell, : width * cell]
    mean = cells.reshape(height, cell, width, cell, 2).mean(axis=(1, 3))
    step = np.array(picture.size) / flow.shape[1::-1]
    draw = ImageDraw.Draw(picture)
    for (row, column), speed in np.ndenumerate(np.hypot(*np.moveaxis(mean, -1, 0))):
        if speed < 0.12 * scale:
            continue
        # Centred in the cell, so that it stays inside.
        centre = (np.array((column, row)) + 0.5) * cell * step
        along = 0.85 * cell * step * mean[row, column] / max(speed, scale)
        tip, tail = centre + along / 2, centre - along / 2
        across = np.array((-along[1], along[0])) * 0.28
        barb = tip - 0.42 * along
        draw.line((*tail, *barb), INK, width=max(2, round(0.012 * picture.width)))
        draw.polygon([tuple(p) for p in (tip, barb + across, barb - across)], INK)
