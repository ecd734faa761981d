"""OpenCV's TV-L1 for comparison: with pyramid and warping, not learned."""

import cv2
import numpy as np

from repflow_mm.optical_flow.methods import opencv_tvl1


def clip_tvl1(frames: np.ndarray) -> np.ndarray:
    """Flow from each frame of a clip to the next.

    Args:
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB.

    Returns:
        np.ndarray: `(T, H, W, 2)`, fp32, pixels, +x right and +y down; the last frame,
        which has no successor, repeats the flow before it.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    flow = [opencv_tvl1(*pair) for pair in zip(grey, grey[1:], strict=False)]
    return np.stack([*flow, flow[-1]])
