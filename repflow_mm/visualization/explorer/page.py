"""Writes the explorer: one HTML file with frames, flow and scores inside."""

import base64
import hashlib
import html
import json
import zlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import cv2
import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.files import write_bytes

# What 64 frames may take. A longer clip may take more, frame by frame.
_LIMIT = 5_000_000
_LIMIT_FRAMES = 64
# Tried in turn until the page fits: levels of flow on either side of zero, JPEG
# quality, and one snapshot of the solver in how many is kept (the last always is).
_PLANS = (
    (127, 85, 1),
    (127, 65, 1),
    (63, 55, 1),
    (31, 40, 1),
    (31, 30, 2),
    (31, 30, 4),
    (31, 30, 1000),
)
_TOP = 5


@dataclass(frozen=True)
class Clip:
    """What the page shows of one clip.

    Flow is in pixels per frame, from frame `t` to the next, +x right and +y down.

    Args:
        title (str): Name of the video.
        frames (np.ndarray): `(T, H, W, 3)`, RGB, uint8: what the network sees.
        times (np.ndarray): `(T,)`, seconds in the video, increasing.
        flow (np.ndarray): `(I, C, T, h, w, 2)`, pixels of the feature map.
        iterations (tuple[int, ...]): `(I,)`, after how many steps of the solver each
            `flow[i]` was taken, increasing; the last is what the network uses.
        channels (tuple[int, ...]): `(C,)`, the channels' numbers in the layer.
        tvl1 (np.ndarray, optional): `(T, h2, w2, 2)`, OpenCV's TV-L1, in pixels of
            `frames`. Defaults to None.
        scores (np.ndarray, optional): `(W, K)`, class scores of each window.
            Defaults to None.
        windows (np.ndarray, optional): `(W, 2)`, start and end of each, in seconds.
            Defaults to None.
        class_names (tuple[str, ...]): `(K,)`. Defaults to none.
        layer (str): Where in the model the flow is taken. Defaults to
            `'backbone.flow'`.

    Raises:
        ValueError: On shapes that do not fit each other, an empty clip, times that
            do not increase, or numbers that are not finite.
    """

    title: str
    frames: np.ndarray
    times: np.ndarray
    flow: np.ndarray
    iterations: tuple[int, ...]
    channels: tuple[int, ...]
    tvl1: np.ndarray | None = None
    scores: np.ndarray | None = None
    windows: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    layer: str = 'backbone.flow'

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8:
            raise ValueError(f'frames must be uint8, got {self.frames.dtype}')
        _check_shape('frames', self.frames, (None, None, None, 3))
        count = len(self.frames)
        _check_shape('times', self.times, (count,))
        steps, channels = len(self.iterations), len(self.channels)
        _check_shape('flow', self.flow, (steps, channels, count, None, None, 2))
        if (np.diff(self.times) <= 0).any():
            raise ValueError('times must increase')
        if list(self.iterations) != sorted(set(self.iterations)):
            raise ValueError(f'iterations must increase, got {self.iterations}')
        if self.tvl1 is not None:
            _check_shape('tvl1', self.tvl1, (count, None, None, 2))
        if (self.scores is None) != (self.windows is None):
            raise ValueError('scores and windows go together: give both or neither')
        if self.scores is not None:
            _check_shape('scores', self.scores, (None, len(self.class_names)))
            _check_shape('windows', self.windows, (len(self.scores), 2))
        for name in ('times', 'flow', 'tvl1', 'scores', 'windows'):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value).all():
                raise ValueError(f'{name} holds numbers that are not finite')


def write_page(clip: Clip, path: Path) -> Path:
    """Write the page; it needs nothing but a browser of 2023 or later.

    It has less than 5 MB for 64 frames, and for a longer clip in proportion. Where
    that is not enough, flow is stored in coarser steps, then frames at a lower
    quality, then fewer of the solver's snapshots; the page says which.

    Args:
        clip (Clip): What it shows.
        path (Path): The `.html` file; its folder is made.

    Returns:
        Path: `path`.

    Raises:
        InputError: If the clip has too many channels to fit even so.
        OutputError: If the file cannot be written.
    """
    limit = _LIMIT * max(1, len(clip.frames) / _LIMIT_FRAMES)
    for plan in _PLANS:
        page = _page(clip, *plan).encode()
        if len(page) < limit:
            break
    else:
        raise InputError(
            f'{len(clip.channels)} channels of {clip.flow.shape[3]}x'
            f'{clip.flow.shape[4]} make a page of {len(page) / 1e6:.1f} MB, and '
            f'{len(clip.frames)} frames may take {limit / 1e6:.1f}: choose fewer '
            'channels'
        )
    write_bytes(path, page)
    return Path(path)


def _page(clip: Clip, levels: int, quality: int, thinning: int) -> str:
    flow = clip.flow[::-1][::thinning][::-1]
    iterations = clip.iterations[::-1][::thinning][::-1]
    speed = np.hypot(clip.flow[-1, ..., 0], clip.flow[-1, ..., 1])
    activity = speed.mean((1, 2, 3))
    order = np.argsort(-activity, kind='stable')
    scale, stored = _quantise(flow, speed, levels)
    about = {
        'title': clip.title,
        'layer': clip.layer,
        'times': np.round(clip.times, 4).tolist(),
        'frame': clip.frames.shape[1:3],
        'map': flow.shape[3:5],
        'iterations': [int(n) for n in iterations],
        'left_out': [int(n) for n in clip.iterations if n not in iterations],
        'channels': [
            {'number': int(clip.channels[c]), 'speed': float(activity[c])}
            for c in order
        ],
        'flow': scale,
    }
    data = {f'flow-{i}': _packed(stored[:, c]) for i, c in enumerate(order)}
    if clip.tvl1 is not None:
        speed = np.hypot(clip.tvl1[..., 0], clip.tvl1[..., 1])
        about['tvl1'], stored = _quantise(clip.tvl1, speed, levels)
        about['tvl1']['map'] = clip.tvl1.shape[1:3]
        data['tvl1'] = _packed(stored)
    if clip.scores is not None:
        about['scores'] = _scores(clip)
    data = {
        'about': _json(about),
        'frames': _json([_jpeg(frame, quality) for frame in clip.frames]),
        **data,
    }
    here = files(__package__)
    style, script = (
        here.joinpath(name).read_text('utf-8') for name in ('page.css', 'page.js')
    )
    return Template(here.joinpath('page.html').read_text('utf-8')).substitute(
        title=html.escape(clip.title),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data='\n'.join(
            f'<script type="application/json" id="{name}">{value}</script>'
            for name, value in data.items()
        ),
    )


def _quantise(
    flow: np.ndarray, speed: np.ndarray, levels: int
) -> tuple[dict, np.ndarray]:
    """Flow in whole steps, int8, and what they mean.

    The fastest hundredth is drawn darker than full colour, as it would hide the
    rest; twice that speed is where a component is cut.
    """
    largest = float(np.abs(flow).max())
    full = float(np.percentile(speed, 99)) or largest or 1.0
    step = (min(2 * full, largest) or full) / levels
    whole = np.rint(flow / step)
    scale = {
        'full': full,
        'step': step,
        'levels': levels,
        'cut': float((np.abs(whole) > levels).mean()),
    }
    return scale, np.clip(whole, -levels, levels).astype(np.int8)


def _scores(clip: Clip) -> dict:
    """The classes that are among the first five of any window, best on average first.

    Their lines need no others, and 400 classes would be most of a short page.
    """
    first = np.argsort(-clip.scores, axis=1)[:, :_TOP]
    kept = np.unique(first)
    kept = kept[np.argsort(-clip.scores[:, kept].mean(0), kind='stable')]
    return {
        'windows': np.round(clip.windows, 4).tolist(),
        'names': [clip.class_names[k] for k in kept],
        'values': [[float(f'{v:.4g}') for v in row] for row in clip.scores[:, kept]],
    }


def _check_shape(name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    if array.ndim != len(shape) or any(
        have == 0 or want not in (None, have)
        for have, want in zip(array.shape, shape, strict=True)
    ):
        wanted = ', '.join('any' if want is None else str(want) for want in shape)
        raise ValueError(f'{name} must have shape ({wanted}), got {array.shape}')


def _packed(stored: np.ndarray) -> str:
    return _json(base64.b64encode(zlib.compress(stored.tobytes())).decode())


def _jpeg(frame: np.ndarray, quality: int) -> str:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode('.jpg', frame[..., ::-1], options)
    return base64.b64encode(encoded).decode()


def _json(value: object) -> str:
    """JSON that no HTML parser takes for the end of its element."""
    return json.dumps(value, separators=(',', ':')).replace('<', '\\u003c')


def _hash(source: str) -> str:
    """What a content security policy calls the text of an element."""
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
