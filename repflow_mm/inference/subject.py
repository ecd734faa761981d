"""A clip whose flow is to be shown: frames, their times, and the flow of each layer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.inference.raw_flow import RawFlow, read_clip
from repflow_mm.inference.sight import Window, look
from repflow_mm.inference.windows import WindowedVideo

# Solves with so many iterations, or as many as it does; `(T, C, h, w, 2)`.
Solver = Callable[[int | None], np.ndarray]


@dataclass(frozen=True)
class Subject:
    """A clip, with or without a network that looks at it.

    Args:
        name (str): Of the video.
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB.
        times (np.ndarray): Seconds of each in the video, `(T,)`.
        layers (dict[str, Solver]): What solves for the flow of each layer.
        n_iters (int): Iterations of the first layer.
        window (int): Frames that belong together: what strips of pictures are of.
        scores (np.ndarray, optional): Of each window, `(W, K)`.
        spans (np.ndarray, optional): Its first and last second, `(W, 2)`.
        class_names (tuple[str, ...]): Of the scores.
    """

    name: str
    frames: np.ndarray
    times: np.ndarray
    layers: dict[str, Solver]
    n_iters: int
    window: int
    scores: np.ndarray | None = None
    spans: np.ndarray | None = None
    class_names: tuple[str, ...] = ()


def raw_subject(
    path: str,
    start: float,
    count: int,
    window: int,
    interval: int,
    size: int,
    decoder: str,
) -> Subject:
    """A clip without a network: the solver with its start values, on brightness.

    Args:
        path (str): The video.
        start (float): Seconds into it.
        count (int): Frames at most.
        window (int): Of these, for strips of pictures.
        interval (int): From one to the next.
        size (int): The shorter side they are made to have.
        decoder (str): As for :class:`repflow_mm.video.VideoProcess`.

    Returns:
        Subject: With one layer, `'brightness'`.

    Raises:
        VideoError: If there are no two frames.
    """
    frames, times = read_clip(path, start, count, interval, size, decoder)
    layers = {'brightness': RawFlow(frames).flow}
    return Subject(path, frames, times, layers, n_iters=20, window=window)


def seen_subject(
    model: nn.Module, path: str, start: float, count: int, layer: str | None
) -> Subject:
    """A clip as a network sees it.

    Args:
        model (nn.Module): From :func:`repflow_mm.inference.recognizer.load_recognizer`.
        path (str): The video.
        start (float): Seconds into it; the window that begins there or next is first.
        count (int): Frames, in whole windows; one window at least.
        layer (str, optional): The flow layer to show. Defaults to the first.

    Returns:
        Subject: With that layer first, the others after it.

    Raises:
        VideoError: If the video cannot be read, or ends before `start`.
        ValueError: If the network has no flow layer, or none of that name.
    """
    video = WindowedVideo(path, model.cfg)
    video.skip_to(start)
    window = len(video.indices[0])
    video.indices = video.indices[: max(round(count / window), 1)]
    windows = list(look(model, video))
    names = list(windows[0].flows)
    if not names:
        raise InputError(
            'the network of this config has no flow layer: give a config with one, or '
            'leave --config and --checkpoint out for the flow of the frames'
        )
    if layer is not None and layer not in names:
        raise InputError(f'--layer must be one of {", ".join(names)}, got {layer!r}')
    first = layer or names[0]
    new = _new(video.indices)
    spans = [(w.indices[0], w.indices[-1]) for w in windows]
    return Subject(
        name=path,
        frames=np.concatenate([window.frames for window in windows])[new],
        times=np.concatenate(video.indices)[new] / video.fps,
        layers={
            name: _over(windows, name, new)
            for name in [first, *(name for name in names if name != first)]
        },
        n_iters=windows[0].flows[first].layer.solver.n_iters,
        window=window,
        scores=np.stack([window.scores for window in windows]),
        spans=np.array(spans) / video.fps,
        class_names=model.class_names,
    )


def _over(windows: list[Window], name: str, new: np.ndarray) -> Solver:
    def solve(n_iters: int | None = None) -> np.ndarray:
        flows = [window.flows[name].flow(n_iters) for window in windows]
        return np.concatenate(flows)[new]

    return solve


def _new(indices: list[np.ndarray]) -> np.ndarray:
    """Where a frame comes that was not there before: windows may overlap."""
    numbers = np.concatenate(indices)
    before = np.maximum.accumulate(numbers)
    return np.flatnonzero(np.append(True, numbers[1:] > before[:-1]))
