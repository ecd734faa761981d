"""Layers that move in front of each other, their pictures and their true motion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from repflow_mm.synthetic import textures

# From time in frames to the 3x3 transform of content since time 0.
Motion = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Layer:
    """A moving texture.

    Args:
        texture (np.ndarray): `(S, S, 3)`, fp32, periodic.
        pose (np.ndarray): Transform from frame centre to texture at time 0, 3x3.
        motion (Motion): Motion of the content about the frame centre.
        opacity (np.ndarray, optional): `(S, S)` in [0, 1], fp32, moves with the
            texture; where it is 1, the layer hides those behind it. None adds the light
            of the layer to theirs, as a reflection in a window does.
    """

    texture: np.ndarray
    pose: np.ndarray
    motion: Motion
    opacity: np.ndarray | None = None

    def seen(self, image: np.ndarray, time: float, size: int) -> np.ndarray:
        """The texture or opacity as it appears in a frame, `(size, size, ...)`."""
        # Maps a pixel to its source in the texture.
        source = (
            self.pose @ np.linalg.inv(self.motion(time)) @ np.linalg.inv(_centre(size))
        )
        return cv2.warpAffine(
            image,
            source[:2],
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )

    def flow(self, time: float, later: float, size: int) -> np.ndarray:
        """Displacement of what is at each pixel, `(size, size, 2)` in pixels."""
        centre = _centre(size)
        moved = (
            centre
            @ self.motion(later)
            @ np.linalg.inv(self.motion(time))
            @ np.linalg.inv(centre)
        )
        y, x = np.mgrid[:size, :size]
        return np.stack((x, y, np.ones_like(x)), -1) @ (moved - np.eye(3))[:2].T


def render(layers: Sequence[Layer], time: float, size: int) -> np.ndarray:
    """Draw layers, the hindmost first, as fp32 RGB `(size, size, 3)`."""
    frame = np.zeros((size, size, 3), np.float32)
    for layer in layers:
        picture = layer.seen(layer.texture, time, size)
        if layer.opacity is not None:
            picture = layer.seen(layer.opacity, time, size)[..., None] * (
                picture - frame
            )
        frame = frame + picture
    return frame


def true_flow(
    layers: Sequence[Layer], time: float, later: float, size: int
) -> np.ndarray:
    """Flow of what is seen at a time, up to a later one.

    Args:
        layers (Sequence[Layer]): The layers, the hindmost first.
        time (float): Time in frames.
        later (float): A later time.
        size (int): Height and width of the frame in pixels.

    Returns:
        np.ndarray: `(M, size, size, 2)`, fp64, pixels, +x right and +y down. `M` is the
        number of motions in one place: 1, and one more for each layer that adds light.
    """
    flows: list[np.ndarray] = []
    for layer in layers:
        flow = layer.flow(time, later, size)
        if layer.opacity is None:
            flows.append(flow)
        else:
            hides = layer.seen(layer.opacity, time, size)[..., None] > 0.5
            flows = [np.where(hides, flow, behind) for behind in flows]
    return np.stack(flows)


def random_pose(rng: np.random.Generator) -> np.ndarray:
    """Frame centre to texture: any angle and position, some scale and shear."""
    angle = rng.uniform(0, 2 * np.pi)
    scale = np.exp(rng.uniform(-0.3, 0.3))
    pose = rotation(angle) @ shear(rng.uniform(-0.3, 0.3)) @ scaling(scale)
    pose[:2, 2] = rng.uniform(0, textures.SIZE, 2)
    return pose


def rotation(angle: float) -> np.ndarray:
    """Clockwise on screen, where y points down; radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def shear(slant: float) -> np.ndarray:
    """Horizontal shear by `slant` pixels per pixel."""
    return np.array([[1, slant, 0], [0, 1, 0], [0, 0, 1]])


def scaling(factor: float) -> np.ndarray:
    """Enlargement about the origin."""
    return np.diag((factor, factor, 1))


def translation(x: float, y: float) -> np.ndarray:
    """Shift in pixels, +x right and +y down."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def _centre(size: int) -> np.ndarray:
    return translation(size / 2, size / 2)
