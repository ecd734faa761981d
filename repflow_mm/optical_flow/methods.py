"""Optical flow between two pictures: OpenCV's methods, our solver, or a callable."""

import importlib
import inspect
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch

from repflow_mm.errors import InputError
from repflow_mm.ops import sobel_kernels
from repflow_mm.ops.tvl1.coarse_to_fine import coarse_to_fine, initial_filters

# Two RGB pictures `(H, W, 3)`, uint8, to flow `(H, W, 2)` in pixels.
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def opencv_tvl1(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """OpenCV's TV-L1 with its defaults (5 scales, 5 warps), not learned.

    Args:
        first (np.ndarray): Grey picture, `(H, W)` uint8.
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
    # A solver of its own for each pair: it keeps the few scales of a small picture,
    # and its buffers are not for two threads.
    return cv2.optflow.DualTVL1OpticalFlow_create().calc(first, second, None)


def farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """OpenCV's Farneback, with the options of its tutorial; see `opencv_tvl1`."""
    return cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def dis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """OpenCV's dense inverse search, preset `MEDIUM`; see `opencv_tvl1`.

    Raises:
        InputError: If the pictures are too small or too narrow for it.
    """
    # A solver of its own for each pair, as for TV-L1.
    solver = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    try:
        return solver.calc(first, second, None)
    except cv2.error:
        height, width = first.shape
        raise InputError(
            f'pictures of {width}x{height} pixels are too small or too narrow for '
            "OpenCV's DIS: choose another method, such as tvl1"
        ) from None


def repflow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The layer's solver with three warps on a pyramid; see `opencv_tvl1`."""
    # Down to 16 pixels, as OpenCV's.
    scales = int(np.clip(np.log2(min(first.shape) / 16) + 1, 1, 5))
    pair = (torch.from_numpy(p)[None, None].float() for p in (first, second))
    with torch.inference_mode():
        flow = coarse_to_fine(
            *pair, initial_filters(20, warps=3, scales=scales), sobel_kernels()
        )
    return torch.stack(flow, -1)[0, 0].numpy()


GREY = dict(tvl1=opencv_tvl1, farneback=farneback, dis=dis, repflow=repflow)


def find_method(method: str | Method) -> tuple[str, Method]:
    """A method of optical flow, and the name that stands for it in a cache.

    Args:
        method (str | Callable): A key of `GREY`, a function of two RGB pictures
            `(H, W, 3)` uint8 that returns `(H, W, 2)` pixels, or its dotted path
            (`'package.module.function'`).

    Returns:
        tuple[str, Callable]: Name and function; the function checks what it returns.

    Raises:
        InputError: If there is no such method.
    """
    if isinstance(method, str) and method in GREY:
        return method, partial(_of_grey, GREY[method])
    if isinstance(method, str):
        found = _imported(method)
        if found is None:
            raise InputError(
                f'there is no method of optical flow {method!r}: choose from '
                f'{", ".join(GREY)}, or name a function, as package.module.function'
            )
        method = found
    if not callable(method):
        raise InputError(f'method must be a name or a function, got {method!r}')
    if inspect.isfunction(method) or inspect.isbuiltin(method):
        name = f'{method.__module__}.{method.__qualname__}'
    else:
        # Its name does not tell what it is made of, as that of a local function.
        name = f'<{type(method).__qualname__}>'
    return name, partial(_checked, method)


def _imported(path: str) -> Method | None:
    """What a dotted path names, or None."""
    module, _, name = path.rpartition('.')
    if not module or module.startswith('.'):
        return None
    try:
        return getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if not f'{module}.'.startswith(f'{error.name}.'):
            raise  # the module is there, and imports one that is not
        return None


def _of_grey(method: Method, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return method(*(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (first, second)))


def _checked(method: Method, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    flow = np.asarray(method(first, second))
    wanted = (*first.shape[:2], 2)
    if flow.shape != wanted or not np.isfinite(flow).all():
        raise InputError(
            f'the function for optical flow must return finite pixels of shape '
            f'{wanted}, got shape {flow.shape}'
        )
    return flow
