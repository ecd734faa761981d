"""Render a video with the network's flow beside it and its predictions below."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from repflow_mm.video.writers import GifWriter, Mp4Writer
from repflow_mm.visualization.flow_clip import FlowClip, most_active
from repflow_mm.visualization.flow_colour import LEAST, flow_scale
from repflow_mm.visualization.fonts import text_font
from repflow_mm.visualization.sheet import (
    INK,
    PAPER,
    QUIET,
    draw_tile,
    draw_wheel,
)

_SIZE, _MARGIN, _FOOT, _WHEEL = 320, 16, 112, 72
_BAR, _EMPTY_BAR = '#c2410c', '#eaeef2'


class DemoVideo:
    """Writes the mp4 and the gif of one video, as a context manager.

    Args:
        path (Path): Path of the files, without suffix.
        fps (float): Frame rate of the output.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._last = -1
        self._layer: str | None = None
        self._channel, self._scale = 0, LEAST
        with ExitStack() as stack:
            self._writers = [
                stack.enter_context(writer(path.with_name(path.name + suffix), fps))
                for suffix, writer in (('.mp4', Mp4Writer), ('.gif', GifWriter))
            ]
            self._files = stack.pop_all()

    def __enter__(self) -> 'DemoVideo':
        return self

    def __exit__(self, *error) -> None:
        self._files.__exit__(*error)

    def add(self, window: FlowClip) -> None:
        """Write the frames of a window that have not been written yet."""
        if self._layer is None:
            self._layer = window.first_flow()
        flow, caption = None, 'no flow in this network'
        if self._layer is not None:
            flow = window.flow(self._layer)
            if self._scale == LEAST:
                # Chosen once something moves, and kept.
                (self._channel,) = most_active(flow, 1)
            # A video may begin before anybody enters: the scale never shrinks, and
            # grows with what is seen, as the legend says.
            self._scale = max(self._scale, flow_scale([flow[:, self._channel]]))
            caption = f'{self._layer}, channel {self._channel} of {flow.shape[1]}'
            flow = flow[:, self._channel]
        (scores,) = window.scores
        best = scores.argsort()[::-1][:3]
        answers = [(window.class_names[k], float(scores[k])) for k in best]
        foot = _draw_foot(caption, None if flow is None else self._scale, answers)
        for i, index in enumerate(window.indices):
            if index > self._last:
                shown = None if flow is None else flow[i]
                picture = _draw_moment(window.frames[i], shown, self._scale, foot)
                for writer in self._writers:
                    writer.add(picture)
        self._last = window.indices[-1]


def _draw_moment(
    frame: np.ndarray, flow: np.ndarray | None, scale: float, foot: Image.Image
) -> np.ndarray:
    """One output frame: the video frame, its flow and the footer; uint8 RGB."""
    canvas = Image.new('RGB', (foot.width, _SIZE + 2 * _MARGIN + _FOOT), PAPER)
    for column, tile in enumerate((frame, flow)):
        if tile is not None:
            height, width = tile.shape[:2]
            shrink = _SIZE / max(height, width)
            box = max(round(width * shrink), 1), max(round(height * shrink), 1)
            left = _MARGIN + column * (_SIZE + _MARGIN) + (_SIZE - box[0]) // 2
            top = _MARGIN + (_SIZE - box[1]) // 2
            canvas.paste(draw_tile(tile, box, scale), (left, top))
    canvas.paste(foot, (0, _SIZE + 2 * _MARGIN))
    return np.asarray(canvas)


def _draw_foot(
    caption: str, scale: float | None, answers: Sequence[tuple[str, float]]
) -> Image.Image:
    """The footer: predictions below the frame, the legend below the flow."""
    foot = Image.new('RGB', (2 * _SIZE + 3 * _MARGIN, _FOOT), PAPER)
    draw = ImageDraw.Draw(foot)
    font = text_font(15)
    for row, (name, score) in enumerate(answers):
        y, right = 34 * row, _MARGIN + _SIZE
        name = name if len(name) <= 34 else f'{name[:31]}...'
        draw.text((_MARGIN, y), name, INK, text_font(15, name))
        draw.text((right, y), f'{100 * score:.0f} %', INK, font, anchor='ra')
        end = _MARGIN + max(round(_SIZE * score), 1)
        draw.rectangle((_MARGIN, y + 22, right - 1, y + 25), _EMPTY_BAR)
        draw.rectangle((_MARGIN, y + 22, end, y + 25), _BAR)
    x = _SIZE + 2 * _MARGIN
    if scale is None:
        draw.text((x, 6), caption, QUIET, font)
        return foot
    foot.paste(draw_wheel(_WHEEL), (x, 0))
    x += _WHEEL + 12
    draw.text((x, 6), caption, INK, font)
    draw.text(
        (x, 28),
        f'full colour: {scale:.2g} pixels of\nthe feature map per frame',
        QUIET,
        text_font(14),
    )
    return foot
