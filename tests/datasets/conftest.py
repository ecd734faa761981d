"""The clip of the tests of flow."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope='module')
def clip(plugin, tmp_path_factory):
    """20 frames of 48x64; a texture that moves by (1, 0.5), and grows brighter."""
    path = tmp_path_factory.mktemp('flow') / 'clip.avi'
    noise = np.random.default_rng(0).uniform(0, 255, (160, 160))
    texture = cv2.GaussianBlur(noise, (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 150, cv2.NORM_MINMAX).astype(np.float32)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'FFV1'), 25, (64, 48))
    for n in range(20):
        shift = np.float32([[1, 0, n - 60], [0, 1, n / 2 - 60]])
        frame = cv2.warpAffine(texture, shift, (64, 48), flags=cv2.INTER_CUBIC) + 4 * n
        writer.write(np.repeat(frame.clip(0, 255).astype(np.uint8)[..., None], 3, -1))
    writer.release()
    return str(path)
