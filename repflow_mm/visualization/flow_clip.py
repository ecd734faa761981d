"""A clip with its flow, the input of all pictures, pages and videos of flow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np


@dataclass(frozen=True)
class Solver:
    """Computes the flow of one layer over a clip.

    Args:
        solve (Callable): Given a number of iterations, or None for the layer's own,
            returns the flow from each frame to the next, `(T, C, h, w, 2)` fp32, in
            pixels of the `h x w` map, +x right and +y down; the last frame, which has
            no successor, repeats the flow before it. None where the layer computes no
            flow.
        n_iters (int, optional): Iterations of the layer, if it is iterative.
    """

    solve: Callable[[int | None], np.ndarray | None]
    n_iters: int | None = None

    def iterations(self) -> list[int | None]:
        """Iteration counts to show: 1, 2, 5, 10, 20, 50, ... and the layer's own.

        Returns:
            list[int | None]: The last five of them, increasing. `[None]` for a layer
            that is not iterative.
        """
        if self.n_iters is None:
            return [None]
        steps = [s * 10**k for k in range(len(str(self.n_iters))) for s in (1, 2, 5)]
        return [*(n for n in steps if n < self.n_iters), self.n_iters][-5:]


@dataclass(frozen=True)
class FlowClip:
    """Frames of a video, and the flow of each motion layer that sees them.

    Args:
        name (str): Display name of the video.
        indices (np.ndarray): Frame indices in the video, `(T,)`.
        times (np.ndarray): Frame times in seconds, `(T,)`.
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB: the network's input.
        solvers (dict[str, Solver]): By layer, in the network's order. Defaults to none.
        scores (np.ndarray, optional): `(W, K)`, class scores per window. None (the
            default), like `windows`, if there is no network.
        windows (np.ndarray, optional): `(W, 2)`, start and end of each in seconds.
        class_names (Sequence[str]): `(K,)`. Defaults to none.

    Raises:
        ValueError: On inconsistent shapes, an empty clip, or decreasing times.
    """

    name: str
    indices: np.ndarray
    times: np.ndarray
    frames: np.ndarray
    solvers: dict[str, Solver] = field(default_factory=dict)
    scores: np.ndarray | None = None
    windows: np.ndarray | None = None
    class_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8:
            raise ValueError(f'frames must be uint8, got {self.frames.dtype}')
        check_shape('frames', self.frames, (None, None, None, 3))
        check_shape('times', self.times, (len(self.frames),))
        check_shape('indices', self.indices, (len(self.frames),))
        if not (np.diff(self.times) >= 0).all():
            raise ValueError('times must not decrease')
        if (self.scores is None) != (self.windows is None):
            raise ValueError('scores and windows go together: give both or neither')
        if self.scores is not None:
            check_shape('scores', self.scores, (None, len(self.class_names)))
            check_shape('windows', self.windows, (len(self.scores), 2))

    def flow(self, layer: str, n_iters: int | None = None) -> np.ndarray | None:
        """Compute the flow of a layer; see :class:`Solver`."""
        return self.solvers[layer].solve(n_iters)

    def first_flow(self) -> str | None:
        """Name of the first layer that computes a flow, or None."""
        # One iteration suffices to find out.
        return next((n for n in self.solvers if self.flow(n, 1) is not None), None)


def join(clips: Sequence[FlowClip]) -> FlowClip:
    """Join consecutive windows of one video into one clip.

    Args:
        clips (Sequence[FlowClip]): Clips with the same layers and classes. They may
            overlap: repeated frames are dropped. Of those within a clip, the last is
            kept, whose flow leads to another frame.

    Returns:
        FlowClip: The joined clip, with the scores of all windows. Its flows are kept
        once computed.
    """
    numbers = np.concatenate([clip.indices for clip in clips])
    chosen, seen, start = [], -1, 0
    for clip in clips:
        last = np.append(np.diff(clip.indices) > 0, True)
        chosen.append(start + np.flatnonzero(last & (clip.indices > seen)))
        seen, start = max(seen, clip.indices.max()), start + len(clip.indices)
    new = np.concatenate(chosen)

    def solver(name: str) -> Solver:
        @cache
        def solve(n_iters: int | None) -> np.ndarray | None:
            flows = [clip.flow(name, n_iters) for clip in clips]
            return None if flows[0] is None else np.concatenate(flows)[new]

        return Solver(solve, clips[0].solvers[name].n_iters)

    seen = clips[0].scores is not None
    return replace(
        clips[0],
        indices=numbers[new],
        times=np.concatenate([clip.times for clip in clips])[new],
        frames=np.concatenate([clip.frames for clip in clips])[new],
        solvers={name: solver(name) for name in clips[0].solvers},
        scores=np.concatenate([clip.scores for clip in clips]) if seen else None,
        windows=np.concatenate([clip.windows for clip in clips]) if seen else None,
    )


def most_active(flow: np.ndarray, top: int) -> list[int]:
    """Find the channels with the most motion.

    Args:
        flow (np.ndarray): `(T, C, H, W, 2)`, pixels.
        top (int): Number of channels.

    Returns:
        list[int]: Channel indices by decreasing mean speed.
    """
    speed = np.hypot(flow[..., 0], flow[..., 1]).mean(axis=(0, 2, 3))
    return [int(channel) for channel in (-speed).argsort(kind='stable')[:top]]


def even_steps(count: int, columns: int) -> np.ndarray:
    """Choose evenly spaced frames of a clip.

    Args:
        count (int): Number of frames of the clip.
        columns (int): Maximum number of frames to choose.

    Returns:
        np.ndarray: Increasing frame indices, from 0.
    """
    step = max((count - 1) // max(columns - 1, 1), 1)
    return np.arange(0, count, step)[:columns]


def check_shape(name: str, array: np.ndarray, shape: Sequence[int | None]) -> None:
    """Raise `ValueError` if an array is empty or not of a shape (None: any size)."""
    if array.ndim != len(shape) or any(
        have == 0 or want not in (None, have)
        for have, want in zip(array.shape, shape, strict=True)
    ):
        wanted = ', '.join('any' if want is None else str(want) for want in shape)
        raise ValueError(f'{name} must have shape ({wanted}), got {array.shape}')
