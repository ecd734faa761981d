"""What the explorer page shows, out of a clip."""

from pathlib import Path

import cv2
import numpy as np

from repflow_mm.explorer.page import Clip
from repflow_mm.inference.strips import Strips, iteration_counts
from repflow_mm.visualization.tvl1 import clip_tvl1

_TVL1_SIZE = 56  # the shorter side it is shown in


def explorer_clip(strips: Strips) -> Clip:
    """Gather the clip, its flow over iterations, TV-L1 and scores.

    Args:
        strips (Strips): The clip, and the channels that were chosen.

    Returns:
        Clip: For :func:`repflow_mm.explorer.page.write_page`.

    Raises:
        ValueError: If OpenCV has no TV-L1.
    """
    subject = strips.subject
    counts = iteration_counts(subject.n_iters)
    flows = [strips.solve(n)[:, strips.channels] for n in counts[:-1]]
    flows.append(strips.flow[:, strips.channels])
    return Clip(
        title=Path(subject.name).name,
        frames=subject.frames,
        times=subject.times,
        flow=np.stack(flows).transpose(0, 2, 1, 3, 4, 5),
        iterations=tuple(counts),
        channels=tuple(strips.channels),
        tvl1=_shrunk(clip_tvl1(subject.frames)),
        scores=subject.scores,
        windows=subject.spans,
        class_names=subject.class_names,
        layer=strips.layer,
    )


def _shrunk(flow: np.ndarray) -> np.ndarray:
    """Fewer vectors, in pixels of the frame still."""
    height, width = flow.shape[1:3]
    scale = min(_TVL1_SIZE / min(height, width), 1)
    size = round(width * scale), round(height * scale)
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in flow])
