"""Clips whose flow is known, for the explorer page."""

import numpy as np

from repflow_mm.visualization.flow_clip import FlowClip, Solver

HOSTILE = '</script><img src=x onerror="document.title=1"> & "x".mp4'
ITERATIONS = (1, 2, 5)
CHANNELS = (3, 7, 12)


def solver(flow: np.ndarray, channels: tuple[int, ...]) -> Solver:
    """Gives `flow` `(I, C, T, h, w, 2)`, after each of the iterations."""
    everything = np.zeros((len(flow), max(channels) + 1, *flow.shape[2:]), flow.dtype)
    everything[:, list(channels)] = flow
    by_count = dict(zip(ITERATIONS, everything.swapaxes(1, 2), strict=True))
    return Solver(by_count.__getitem__, ITERATIONS[-1])


def clip_of(flow: np.ndarray, channels: tuple[int, ...] = CHANNELS, **others):
    """A clip with the flow `(I, C, T, h, w, 2)`."""
    count = flow.shape[2]
    common = dict(name='noise', indices=np.arange(count), times=np.arange(count) / 30)
    return FlowClip(**common | others, solvers=dict(flow=solver(flow, channels)))


def textured_disc(
    count: int = 8, size: int = 96, cells: int = 12
) -> tuple[FlowClip, np.ndarray]:
    """A disc that moves right; channels hold a translation, a rotation, a zoom."""
    axis = (np.arange(cells) + 0.5) / cells * 2 - 1
    x, y = np.meshgrid(axis, axis)
    final = np.stack(
        [np.stack(parts, -1) for parts in ((0 * x + 1, 0 * y), (-y, x), (x, y))]
    )
    share = 1 - 0.5 ** np.arange(1, 4)
    flow = np.repeat((share[:, None, None, None, None] * final)[:, :, None], count, 2)
    flow *= (1 + np.arange(count) / count)[:, None, None, None]
    wide, high = np.meshgrid(np.arange(size), np.arange(size))
    frames = [
        np.where(np.hypot(wide - 30 - 4 * t, high - 48) < 24, (wide - 4 * t) % 16, 3)
        for t in range(count)
    ]
    scores = np.random.default_rng(0).dirichlet(np.ones(400), 4)
    starts = np.arange(4) * 0.2
    flow = flow.astype(np.float32)
    clip = clip_of(
        flow,
        name=HOSTILE,
        frames=np.repeat(15 * np.stack(frames)[..., None], 3, -1).astype(np.uint8),
        times=1 + np.arange(count) / 10,
        scores=scores,
        windows=np.stack((1 + starts, 1.2 + starts), 1),
        class_names=tuple(f'class <{k}>' for k in range(400)),
    )
    return clip, flow
