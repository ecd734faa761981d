"""The colour wheel, pixel by pixel."""

import colorsys

import numpy as np
import pytest

from repflow_mm.visualization import colour_wheel, flow_to_rgb
from repflow_mm.visualization.flow_colour import LEAST, flow_scale


@pytest.mark.parametrize(
    ('flow', 'colour'),
    [
        ((0, 0), (255, 255, 255)),  # no motion is white
        ((2, 0), (255, 0, 0)),  # right is red
        ((0, 2), (255, 234, 0)),  # down is yellow
        ((-2, 0), (0, 197, 255)),  # left is cyan to blue
        ((0, -2), (103, 0, 255)),  # up is violet
        ((1, 0), (255, 128, 128)),  # half the speed is half as saturated
        ((4, 0), (255, 0, 0)),  # faster is no fuller, and no darker
    ],
)
def test_colours(flow, colour):
    picture = flow_to_rgb(np.array([[flow]], float), max_flow=2.0)
    assert tuple(picture[0, 0]) == colour


def test_hue_turns_once_without_a_jump():
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    flow = np.stack((np.cos(angle), np.sin(angle)), axis=-1)[None]
    colours = flow_to_rgb(flow, 1.0)[0] / 255
    hue = np.unwrap([2 * np.pi * colorsys.rgb_to_hsv(*c)[0] for c in colours])
    assert np.abs(np.diff(hue)).max() < 0.15
    assert hue[-1] - hue[0] == pytest.approx(2 * np.pi, abs=0.1)


def test_legend_agrees_with_the_pictures():
    wheel = colour_wheel(101)
    assert wheel.shape == (101, 101, 4) and wheel[0, 0, 3] == 0
    assert tuple(wheel[50, 50]) == (255, 255, 255, 255)
    assert tuple(wheel[50, 100]) == (255, 0, 0, 255)
    assert tuple(wheel[100, 50]) == (255, 234, 0, 255)


def test_own_scale_and_wrong_input():
    still = flow_to_rgb(np.zeros((3, 4, 2)))
    assert still.shape == (3, 4, 3) and (still == 255).all()
    with pytest.raises(ValueError, match=r'\(H, W, 2\)'):
        flow_to_rgb(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match='max_flow must be > 0'):
        flow_to_rgb(np.zeros((3, 4, 2)), max_flow=0)


def test_one_scale_for_all():
    slow, fast = np.zeros((20, 10, 2)), np.zeros((20, 10, 2))
    fast[:2, :, 0] = -2.0  # a twentieth of both
    assert flow_scale([slow]) == LEAST
    assert flow_scale([slow, fast]) == flow_scale([fast, slow]) == 2.0


def test_a_small_person_before_a_still_camera_keeps_its_colour():
    """3 % of the picture move, at speeds of one to two pixels."""
    flow = np.zeros((100, 100, 2))
    flow[40:60, 50:65, 0] = np.linspace(1, 2, 15)
    flow[0, 0] = 40  # an outlier
    scale = flow_scale([flow])
    assert 1.5 < scale < 2
    person = flow_to_rgb(flow, scale)[40:60, 50:65].astype(int)
    assert (person[..., 0] == 255).all()  # red, pale or full, nowhere dark
    assert (person[..., 1] <= 128).all() and person[0, -1].tolist() == [255, 0, 0]
