"""Known motions have the colours that the wheel says."""

import colorsys

import cv2
import numpy as np
import pytest

SIZE = 96


@pytest.fixture(scope='module')
def raw_flow(plugin):
    from repflow_mm.inference import raw_flow

    return raw_flow


def moving(step: np.ndarray, count: int = 3) -> np.ndarray:
    """Frames of a smooth texture, moved by a 2x3 matrix at a time about the centre."""
    noise = np.random.default_rng(0).standard_normal((2 * SIZE, 2 * SIZE))
    texture = cv2.GaussianBlur(noise, (0, 0), 3)
    texture = np.clip(128 + 50 * texture / texture.std(), 0, 255)
    centre = np.array([[1, 0, SIZE], [0, 1, SIZE], [0, 0, 1.0]])
    step = centre @ np.vstack((step, (0, 0, 1))) @ np.linalg.inv(centre)
    frames = []
    for i in range(count):
        matrix = np.linalg.matrix_power(step, i)[:2]
        frame = cv2.warpAffine(texture, matrix, texture.shape, flags=cv2.INTER_CUBIC)
        frames.append(frame[SIZE // 2 : -SIZE // 2, SIZE // 2 : -SIZE // 2])
    grey = np.rint(np.clip(frames, 0, 255)).astype(np.uint8)
    return grey[..., None].repeat(3, -1)


def hue_at(picture: np.ndarray, x: float, y: float) -> float:
    """Degrees; of the mean colour about a place given in [-1, 1]."""
    column, row = (round((1 + v) * SIZE / 2) for v in (x, y))
    patch = picture[row - 8 : row + 8, column - 8 : column + 8].reshape(-1, 3)
    return 360 * colorsys.rgb_to_hls(*patch.mean(axis=0) / 255)[0]


RED, YELLOW, CYAN, BLUE, MAGENTA = 0, 60, 180, 240, 300
ANGLE = np.deg2rad(1.5)
MOTIONS = {
    'right': (((1, 0, 0.7), (0, 1, 0)), {(0, 0): RED, (0.5, -0.5): RED}),
    'left': (((1, 0, -0.7), (0, 1, 0)), {(0, 0): CYAN, (0.5, 0.5): CYAN}),
    'down': (((1, 0, 0), (0, 1, 0.7)), {(0, 0): YELLOW, (-0.5, 0.5): YELLOW}),
    'up': (((1, 0, 0), (0, 1, -0.7)), {(0, 0): 270, (0.5, 0.5): 270}),
    'clockwise': (
        (
            (np.cos(ANGLE), -np.sin(ANGLE), 0),
            (np.sin(ANGLE), np.cos(ANGLE), 0),
        ),
        {(0, -0.6): RED, (0.6, 0): YELLOW, (0, 0.6): CYAN, (-0.6, 0): 270},
    ),
    'zoom in': (
        ((1.025, 0, 0), (0, 1.025, 0)),
        {(0.6, 0): RED, (0, 0.6): YELLOW, (-0.6, 0): CYAN, (0, -0.6): 270},
    ),
}


@pytest.mark.parametrize('name', MOTIONS)
def test_colours_of_known_motions(raw_flow, name):
    from repflow_mm.visualization import flow_to_rgb

    step, expected = MOTIONS[name]
    flow = raw_flow.RawFlow(moving(np.array(step))).flow(100)
    assert flow.shape == (3, 1, SIZE, SIZE, 2)
    np.testing.assert_array_equal(flow[2], flow[1])
    picture = flow_to_rgb(flow[0, 0])
    for place, hue in expected.items():
        difference = (hue_at(picture, *place) - hue + 180) % 360 - 180
        assert abs(difference) < 25, (place, hue_at(picture, *place))


def test_flow_of_flow_sees_what_moves_in_the_flow(raw_flow):
    """A bump of flow that moves to the right has a flow to the right."""
    y, x = np.mgrid[:48, :48]
    bump = [np.exp(-((x - 20 - 0.8 * t) ** 2 + (y - 24) ** 2) / 60) for t in range(4)]
    flow = np.stack((bump, np.zeros_like(bump)), axis=-1)[:, None].astype(np.float32)
    again = raw_flow.flow_of_flow(flow)
    assert again.shape == flow.shape
    there = again[0, 0, 16:32, 12:30].mean((0, 1))
    assert there[0] > 0.1 and abs(there[1]) < 0.02
    assert np.abs(raw_flow.flow_of_flow(np.repeat(flow[:1], 4, 0))).max() == 0


def test_reading(raw_flow, long_video, short_video):
    from repflow_mm.video import VideoError

    frames, times = raw_flow.read_clip(str(long_video), 0.2, 4, 3, 32, 'decord')
    assert frames.shape == (4, 32, 32, 3)
    np.testing.assert_allclose(times, np.array([5, 8, 11, 14]) / 25)
    with pytest.raises(VideoError, match=r'it has 1 from second 0.1 on.*3 in all'):
        raw_flow.read_clip(str(short_video), 0.1, 4, 2, 32, 'decord')
