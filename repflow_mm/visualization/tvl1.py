"""OpenCV's TV-L1 for comparison: with pyramid and warping, not learned."""

import cv2
import numpy as np

from repflow_mm.errors import InputError


def opencv_tvl1(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Flow between two pictures, with OpenCV's defaults (5 scales, 5 warps).

    Args:
        first (np.ndarray): `(H, W)` uint8.
        second (np.ndarray): Same shape.

    Returns:
        np.ndarray: `(H, W, 2)`, fp32, pixels, +x right and +y down.

    Raises:
        InputError: If this OpenCV was built without its contributed modules.
    """
    if not hasattr(cv2, 'optflow'):
        raise InputError(
            "OpenCV's TV-L1 is in its contributed modules: pip uninstall opencv-python "
            'opencv-python-headless, then pip install opencv-contrib-python-headless'
        )
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    return solver.calc(first, second, None)


def clip_tvl1(frames: np.ndarray) -> np.ndarray:
    """Flow from each frame of a clip to the next.

    Args:
        frames (np.ndarray): `(T, H, W, 3)`, uint8 RGB.

    Returns:
        np.ndarray: `(T, H, W, 2)`, see :func:`opencv_tvl1`; the last frame, which has
        no successor, repeats the flow before it.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    flow = [opencv_tvl1(*pair) for pair in zip(grey, grey[1:], strict=False)]
    return np.stack([*flow, flow[-1]])
