"""The flow of a clip: of a network's motion layers, or of plain frames."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from repflow_mm.layers import FlowTap
from repflow_mm.ops import representation_flow
from repflow_mm.ops.normalise import normalise_clip
from repflow_mm.video import VideoError, VideoProcess
from repflow_mm.visualization.flow_clip import FlowClip, Solver

_ITERATIONS = 20  # the layer's default


def layer_solvers(
    tap: FlowTap, views: int, view: int, frames: int
) -> dict[str, Solver]:
    """The flow of each layer for one view of the network's input.

    Args:
        tap (FlowTap): The tap after the forward pass; of its inputs, those of this view
            are kept.
        views (int): Number of crops of the window.
        view (int): Index of the view.
        frames (int): Frames per crop, `T`. After a temporal stride, several share the
            same flow, divided by the stride.

    Returns:
        dict[str, Solver]: By name of the layer, what computes its flow when asked to.
    """
    solvers, stride, before = {}, 1, 0
    for name, clips in tap.inputs.items():
        # A neck without `num_segments` treats all crops as one clip.
        together = len(clips) == 1 and views > 1
        tap.inputs[name] = clips[view, None].clone() if len(clips) > 1 else clips
        count = clips.shape[2] // views if together else clips.shape[2]
        if not before or count > before:  # the first layer, or that of another stream
            stride = max(round(frames / count), 1)
        elif before - count > 1:  # a layer before it removes one frame at most
            stride *= max(round((before - 1) / count), 1)
        before = count
        first = view * count if together else 0
        solvers[name] = _solver(tap, name, first, count, stride, frames)
    return solvers


def _solver(
    tap: FlowTap, name: str, first: int, count: int, stride: int, frames: int
) -> Solver:
    def solve(n_iters: int | None) -> np.ndarray | None:
        flow = tap.flow(name, n_iters)
        if flow is None:
            return None
        flow = flow[0].transpose(0, 1).cpu().numpy()[first:][: max(count - 1, 1)]
        step = np.arange(frames) // stride
        return flow[np.minimum(step, len(flow) - 1)] / np.float32(stride)

    return Solver(solve, tap.layers[name].n_iters)


def input_solver(flow: np.ndarray, frames: int) -> Solver:
    """The optical flow that a network gets.

    Args:
        flow (np.ndarray): `(T - 1, H, W, 2)` or `(T, H, W, 2)`, pixels.
        frames (int): `T`.

    Returns:
        Solver: Of one channel, not iterative.
    """
    step = np.minimum(np.arange(frames), len(flow) - 1)
    return Solver(lambda n_iters: flow[step, None])


def read_frames(
    path: str, start: float, count: int, interval: int, size: int, decoder: str
) -> FlowClip:
    """Read a part of a video and run the solver on its greyscale frames, no network.

    Without a pyramid, the solver captures motion of about a pixel per frame, so frames
    must be small or motion slow. Solver parameters have their initial values.

    Args:
        path (str): The video.
        start (float): Start time in seconds.
        count (int): Number of frames; fewer if the video ends before.
        interval (int): Step between frames.
        size (int): Shorter side in pixels; smaller videos are not resized.
        decoder (str): As for :class:`repflow_mm.video.VideoProcess`.

    Returns:
        FlowClip: A clip with one layer, `'brightness'`.

    Raises:
        VideoError: If the video cannot be read, or fewer than two frames remain.
    """
    process = VideoProcess(decoder)
    try:
        info = process.open(path)
        fps = info.fps or 25
        indices = round(start * fps) + np.arange(count) * interval
        indices = indices[indices < info.frames]
        if len(indices) < 2:
            raise VideoError(
                path,
                f'flow needs two frames, but it has {len(indices)} from second '
                f'{start:g} on, one every {interval} (it has {info.frames} in all)',
            )
        frames = np.stack([_shrink(frame, size) for frame in process.frames(indices)])
    finally:
        process.close()

    @cache
    def solve(n_iters: int | None) -> np.ndarray:
        return brightness_flow(frames, n_iters)

    solvers = dict(brightness=Solver(solve, _ITERATIONS))
    return FlowClip(Path(path).name, indices, indices / fps, frames, solvers)


def brightness_flow(frames: np.ndarray, n_iters: int | None = None) -> np.ndarray:
    """Run the solver, with its initial parameters, on greyscale frames.

    Args:
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB.
        n_iters (int, optional): Iterations. Defaults to 20.

    Returns:
        np.ndarray: `(T, 1, H, W, 2)`, as in :class:`Solver`.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    return _solve(torch.from_numpy(np.stack(grey)).float()[:, None], n_iters)


def flow_of_flow(flow: np.ndarray) -> np.ndarray:
    """Flow of flow: the mean of the flows of the x and y components.

    Figures 5 and 7 of the paper. Components are normalised to [0, 255] over the clip
    first, as in the layer.

    Args:
        flow (np.ndarray): `(T, C, H, W, 2)`.

    Returns:
        np.ndarray: Same shape, pixels per frame.
    """
    maps = torch.from_numpy(flow).permute(1, 4, 0, 2, 3)  # (C, 2, T, H, W)
    maps = normalise_clip(maps.contiguous())
    found = [_solve(clip.transpose(0, 1).contiguous()) for clip in maps]
    return np.stack([each.mean(axis=1) for each in found], axis=1)


def _solve(maps: Tensor, n_iters: int | None = None) -> np.ndarray:
    """Flow `(T, C, H, W, 2)` of maps `(T, C, H, W)`."""
    n_iters = n_iters or _ITERATIONS
    flow = torch.stack(representation_flow(maps[:-1], maps[1:], n_iters=n_iters), -1)
    return torch.cat((flow, flow[-1:])).numpy()


def _shrink(frame: np.ndarray, size: int) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = min(size / min(height, width), 1)
    target = round(width * scale), round(height * scale)
    return cv2.resize(frame, target, interpolation=cv2.INTER_AREA)
