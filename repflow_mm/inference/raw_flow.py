"""The solver with its start values on pictures themselves: flow without a network."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from repflow_mm.layers import normalise_clip
from repflow_mm.ops.tvl1 import representation_flow
from repflow_mm.video import VideoError, VideoProcess


@dataclass(frozen=True)
class RawFlow:
    """Flow of a clip's brightness.

    Without a pyramid the solver follows motions of about a pixel per frame: pictures
    have to be small, or slow.

    Args:
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB.
    """

    frames: np.ndarray

    def flow(self, n_iters: int | None = None) -> np.ndarray:
        """Flow from each frame to the next.

        Args:
            n_iters (int, optional): Iterations. Defaults to 20, as the layer's.

        Returns:
            np.ndarray: `(T, 1, H, W, 2)`, fp32, pixels, +x right and +y down; the last
            frame has no next one and shows the flow before it.
        """
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in self.frames]
        maps = torch.from_numpy(np.stack(grey)).float()[:, None]
        return _solve(maps, n_iters or 20)


def flow_of_flow(flow: np.ndarray) -> np.ndarray:
    """How a flow moves: its x and y components are maps, and their flow is averaged.

    Figures 5 and 7 of the paper. Components are normalised to [0, 255] over the clip
    first, as the layer does.

    Args:
        flow (np.ndarray): `(T, C, H, W, 2)`.

    Returns:
        np.ndarray: Same shape, pixels per frame.
    """
    maps = torch.from_numpy(flow).permute(1, 4, 0, 2, 3)  # (C, 2, T, H, W)
    maps = normalise_clip(maps.contiguous())
    found = [_solve(clip.transpose(0, 1).contiguous(), 20) for clip in maps]
    return np.stack([each.mean(axis=1) for each in found], axis=1)


def read_clip(
    path: str, start: float, count: int, interval: int, size: int, decoder: str
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a video, made small.

    Args:
        path (str): The video.
        start (float): Seconds into it.
        count (int): Frames, fewer where the video ends.
        interval (int): From one to the next.
        size (int): The shorter side, in pixels; smaller videos stay as they are.
        decoder (str): As for :class:`VideoProcess`.

    Returns:
        tuple[np.ndarray, np.ndarray]: `(T, H, W, 3)` uint8 RGB, and the seconds of
        each frame.

    Raises:
        VideoError: If it cannot be read, or fewer than two frames are left.
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
                f'flow needs two frames, and it has {len(indices)} from second '
                f'{start:g} on, one every {interval} (it has {info.frames} in all)',
            )
        frames = [_small(frame, size) for frame in process.frames(indices)]
    finally:
        process.close()
    return np.stack(frames), indices / fps


def _small(frame: np.ndarray, size: int) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = min(size / min(height, width), 1)
    target = round(width * scale), round(height * scale)
    return cv2.resize(frame, target, interpolation=cv2.INTER_AREA)


def _solve(maps: Tensor, n_iters: int) -> np.ndarray:
    """Of maps `(T, C, H, W)`, flow `(T, C, H, W, 2)`."""
    flow = torch.stack(representation_flow(maps[:-1], maps[1:], n_iters=n_iters), -1)
    return torch.cat((flow, flow[-1:])).numpy()
