"""One picture of a moment: the frame, its flow beside it, the answer below."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from repflow_mm.visualization.flow_colour import colour_wheel, flow_to_rgb

_SIZE, _MARGIN, _FOOT, _WHEEL = 320, 16, 112, 72
_PAPER, _INK, _QUIET, _BAR = '#ffffff', '#1f2328', '#656d76', '#c2410c'


def side_by_side(
    frame: np.ndarray,
    flow: np.ndarray | None,
    max_flow: float,
    caption: str,
    answers: Sequence[tuple[str, float]],
) -> np.ndarray:
    """Draw it.

    Args:
        frame (np.ndarray): `(H, W, 3)`, uint8 RGB.
        flow (np.ndarray, optional): `(h, w, 2)`, pixels, +x right and +y down; `None`
            leaves that half empty.
        max_flow (float): Speed of full colour, the same for all pictures of a video.
        caption (str): Below the flow.
        answers (Sequence[tuple[str, float]]): Up to three classes and their scores, in
            [0, 1].

    Returns:
        np.ndarray: `(464, 688, 3)`, uint8 RGB.
    """
    width, height = 2 * _SIZE + 3 * _MARGIN, _SIZE + 2 * _MARGIN + _FOOT
    canvas = Image.new('RGB', (width, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    right = _SIZE + 2 * _MARGIN
    canvas.paste(_fitted(frame, Image.Resampling.BICUBIC), (_MARGIN, _MARGIN))
    foot = _SIZE + 2 * _MARGIN
    if flow is not None:
        picture = _fitted(flow_to_rgb(flow, max_flow), Image.Resampling.NEAREST)
        canvas.paste(picture, (right, _MARGIN))
        draw.rectangle(
            (right, _MARGIN, right + _SIZE - 1, _MARGIN + _SIZE - 1), outline='#d0d7de'
        )
        wheel = Image.fromarray(colour_wheel(_WHEEL))
        canvas.paste(wheel, (right, foot), wheel)
        x = right + _WHEEL + 12
        draw.text((x, foot + 6), caption, _INK, _font(15))
        draw.text(
            (x, foot + 28),
            f'full colour: {max_flow:.2g} pixels of\nthe feature map per frame',
            _QUIET,
            _font(14),
        )
    for row, (name, score) in enumerate(answers[:3]):
        y = foot + 34 * row
        draw.text((_MARGIN, y), _shortened(name), _INK, _font(15))
        draw.text(
            (_MARGIN + _SIZE, y), f'{100 * score:.0f} %', _INK, _font(15), anchor='ra'
        )
        end = _MARGIN + round(_SIZE * float(score))
        draw.rectangle((_MARGIN, y + 22, _MARGIN + _SIZE - 1, y + 25), '#eaeef2')
        draw.rectangle((_MARGIN, y + 22, max(end, _MARGIN + 1), y + 25), _BAR)
    return np.asarray(canvas)


def _fitted(picture: np.ndarray, how: Image.Resampling) -> Image.Image:
    """As large as fits into a square, on white."""
    height, width = picture.shape[:2]
    scale = _SIZE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    square = Image.new('RGB', (_SIZE, _SIZE), _PAPER)
    corner = (_SIZE - size[0]) // 2, (_SIZE - size[1]) // 2
    square.paste(Image.fromarray(picture).resize(size, how), corner)
    return square


def _shortened(name: str, limit: int = 34) -> str:
    return name if len(name) <= limit else f'{name[: limit - 3]}...'


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
