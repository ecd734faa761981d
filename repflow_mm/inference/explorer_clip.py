"""What the explorer page shows, out of a clip."""

from pathlib import Path

import cv2
import numpy as np

from repflow_mm.inference.strips import Strips, iteration_counts
from repflow_mm.visualization.explorer.page import Clip
from repflow_mm.visualization.tvl1 import clip_tvl1

# The shorter side of what is shown: finer maps would be stored in coarser steps.
_SIZE = 56


def explorer_clip(strips: Strips) -> Clip:
    """Gather the clip, its flow over iterations, TV-L1 and scores.

    Args:
        strips (Strips): The clip, and the channels that were chosen.

    Returns:
        Clip: For :func:`repflow_mm.visualization.explorer.page.write_page`.

    Raises:
        ValueError: If OpenCV has no TV-L1.
    """
    subject = strips.subject
    counts = iteration_counts(subject.n_iters)
    flows = [strips.solve(n) for n in counts[:-1]] + [strips.flow]
    chosen = np.stack([flow[:, strips.channels] for flow in flows])
    scale = min(_SIZE / min(chosen.shape[3:5]), 1)
    tvl1 = clip_tvl1(subject.frames)
    return Clip(
        title=Path(subject.name).name,
        frames=subject.frames,
        times=subject.times,
        flow=scale * _shrunk(chosen, scale).swapaxes(1, 2),
        iterations=tuple(counts),
        channels=tuple(strips.channels),
        tvl1=_shrunk(tvl1, min(_SIZE / min(tvl1.shape[1:3]), 1)),
        scores=subject.scores,
        windows=subject.spans,
        class_names=subject.class_names,
        layer=strips.layer,
    )


def _shrunk(flow: np.ndarray, scale: float) -> np.ndarray:
    """Fewer vectors `(..., H, W, 2)`, in the pixels they were in."""
    height, width = flow.shape[-3:-1]
    size = round(width * scale), round(height * scale)
    maps = flow.reshape(-1, height, width, 2)
    small = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in maps]
    return np.stack(small).reshape(*flow.shape[:-3], size[1], size[0], 2)
