"""Write the explorer: a self-contained HTML page with frames, flow and scores."""

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import cv2
import numpy as np

from repflow_mm.errors import InputError
from repflow_mm.files import write_bytes
from repflow_mm.visualization.flow_clip import FlowClip, check_shape
from repflow_mm.visualization.flow_colour import WHEEL, flow_scale

# Maximum size in bytes for 64 frames; in proportion for longer clips.
_LIMIT = 5_000_000
_LIMIT_FRAMES = 64
# Tried in order until the page fits: flow quantization levels on either side of zero,
# JPEG quality, and N for keeping every Nth solver snapshot (the last is always kept).
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
# The shorter side of the maps of flow.
_SIZE = 56
# Of the page in a notebook, in pixels.
_HEIGHT = 760


class Page(str):
    """The page, an HTML document; a notebook displays it in a frame."""

    def save(self, path: str | Path) -> Path:
        """Write the page.

        Args:
            path (str | Path): The `.html` file; its folder is created if missing.

        Returns:
            Path: The file.

        Raises:
            OutputError: If the file cannot be written.
        """
        write_bytes(path, self.encode())
        return Path(path)

    def __repr__(self) -> str:
        return f'<Page of {len(self)} characters>'

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self)}" style="border: 0; width: 100%; '
            f'height: {_HEIGHT}px"></iframe>'
        )


def make_page(
    clip: FlowClip,
    layer: str,
    channels: Sequence[int],
    tvl1: np.ndarray | None = None,
) -> Page:
    """Make the page, which works in any browser of 2023 or later, offline.

    It is smaller than 5 MB for 64 frames, in proportion for longer clips. If necessary,
    flow is quantized more coarsely, frames are compressed more, and fewer solver
    snapshots are kept; the page says which.

    Args:
        clip (FlowClip): The clip; its times must increase.
        layer (str): The layer whose flow is shown.
        channels (Sequence[int]): The channels.
        tvl1 (np.ndarray, optional): `(T, h, w, 2)`, OpenCV's TV-L1, in pixels of the
            frames. Defaults to None.

    Returns:
        Page: The page.

    Raises:
        InputError: If the clip has too many channels for the size limit.
        ValueError: If times do not increase, or values are not finite.
    """
    if (np.diff(clip.times) <= 0).any():
        raise ValueError('times must increase')
    iterations = clip.solvers[layer].iterations()
    flow = np.stack([clip.flow(layer, n)[:, list(channels)] for n in iterations])
    # In pixels of the stored map.
    flow = min(_SIZE / min(flow.shape[3:5]), 1) * _shrink(flow).swapaxes(1, 2)
    if tvl1 is not None:
        check_shape('tvl1', tvl1, (len(clip.frames), None, None, 2))
        tvl1 = _shrink(tvl1)
    for name, value in (('flow', flow), ('tvl1', tvl1), ('scores', clip.scores)):
        if value is not None and not np.isfinite(value).all():
            raise ValueError(f'{name} holds numbers that are not finite')
    limit = _LIMIT * max(1, len(clip.frames) / _LIMIT_FRAMES)
    for levels, quality, thinning in _PLANS:
        # The last snapshot, which the network uses, is always kept.
        kept = slice((len(iterations) - 1) % thinning, None, thinning)
        about = {
            'layer': layer,
            # A layer that is not iterative has one snapshot, without a count.
            'iterations': [n or 1 for n in iterations[kept]],
            'left_out': [n for n in iterations if n not in iterations[kept]],
        }
        page = _page(clip, flow[kept], tvl1, about, channels, levels, quality)
        if len(page.encode()) < limit:
            return Page(page)
    raise InputError(
        f'{len(channels)} channels of {flow.shape[3]}x{flow.shape[4]} make a page of '
        f'{len(page.encode()) / 1e6:.1f} MB, but {len(clip.frames)} frames may take '
        f'{limit / 1e6:.1f}: choose fewer channels'
    )


def _page(
    clip: FlowClip,
    flow: np.ndarray,
    tvl1: np.ndarray | None,
    about: dict,
    channels: Sequence[int],
    levels: int,
    quality: int,
) -> str:
    """The page for `flow` `(I, C, T, h, w, 2)` and its metadata `about`."""
    activity = np.hypot(flow[-1, ..., 0], flow[-1, ..., 1]).mean((1, 2, 3))
    order = np.argsort(-activity, kind='stable')
    scale, stored = _quantise(flow, flow[-1], levels)
    about |= {
        'title': clip.name,
        'times': np.round(clip.times, 4).tolist(),
        'frame': clip.frames.shape[1:3],
        'map': flow.shape[3:5],
        'channels': [
            {'number': int(channels[c]), 'speed': float(activity[c])} for c in order
        ],
        'flow': scale,
        'wheel': np.round(WHEEL, 4).tolist(),
    }
    data = {f'flow-{i}': _packed(stored[:, c]) for i, c in enumerate(order)}
    if tvl1 is not None:
        about['tvl1'], stored = _quantise(tvl1, tvl1, levels)
        about['tvl1']['map'] = tvl1.shape[1:3]
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
        title=html.escape(clip.name),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data='\n'.join(
            f'<script type="application/json" id="{name}">{value}</script>'
            for name, value in data.items()
        ),
    )


def _shrink(flow: np.ndarray) -> np.ndarray:
    """Downsample flow `(..., h, w, 2)` to limit its size; vectors keep their scale."""
    height, width = flow.shape[-3:-1]
    scale = min(_SIZE / min(height, width), 1)
    size = round(width * scale), round(height * scale)
    maps = flow.reshape(-1, height, width, 2)
    small = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in maps]
    return np.stack(small).reshape(*flow.shape[:-3], size[1], size[0], 2)


def _quantise(
    flow: np.ndarray, final: np.ndarray, levels: int
) -> tuple[dict, np.ndarray]:
    """Quantize flow to int8; returns the scale and the quantized flow.

    Full colour is that of `final`; components beyond twice that speed are clipped.
    """
    full = flow_scale([final])
    step = (min(2 * full, float(np.abs(flow).max())) or full) / levels
    whole = np.rint(flow / step)
    scale = {
        'full': full,
        'step': step,
        'levels': levels,
        'cut': float((np.abs(whole) > levels).mean()),
    }
    return scale, np.clip(whole, -levels, levels).astype(np.int8)


def _scores(clip: FlowClip) -> dict:
    """Scores of classes in the top five of any window, by decreasing mean score.

    Other classes are never shown, and 400 classes would dominate a short page.
    """
    first = np.argsort(-clip.scores, axis=1)[:, :_TOP]
    kept = np.unique(first)
    kept = kept[np.argsort(-clip.scores[:, kept].mean(0), kind='stable')]
    return {
        'windows': np.round(clip.windows, 4).tolist(),
        'names': [clip.class_names[k] for k in kept],
        'values': [[float(f'{v:.4g}') for v in row] for row in clip.scores[:, kept]],
    }


def _packed(stored: np.ndarray) -> str:
    return _json(base64.b64encode(zlib.compress(stored.tobytes())).decode())


def _jpeg(frame: np.ndarray, quality: int) -> str:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode('.jpg', frame[..., ::-1], options)
    return base64.b64encode(encoded).decode()


def _json(value: object) -> str:
    """JSON that is safe inside an HTML script element."""
    return json.dumps(value, separators=(',', ':')).replace('<', '\\u003c')


def _hash(source: str) -> str:
    """SHA-256 hash of an inline element for the content security policy."""
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
