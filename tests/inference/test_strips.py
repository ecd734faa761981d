"""Strips of one window, whatever is read behind it for the page."""

import numpy as np

from repflow_mm.inference.clips import brightness_flow, input_solver
from repflow_mm.inference.strips import Strips
from repflow_mm.synthetic import MotionSet
from repflow_mm.visualization.flow_clip import FlowClip


def test_flow_of_flow_does_not_depend_on_later_windows(recognizer, long_video):
    pictures = set()
    for count in (8, 24):  # windows of 8 frames
        clip = recognizer.clip(long_video, 0, count)
        assert len(clip.frames) == count
        strips = Strips(clip, 4, channels=[5])
        pictures.add(strips.draw_flow_of_flow().tobytes())
    assert len(pictures) == 1


def test_a_short_clip_has_the_orders_of_flow_that_its_frames_give():
    heights = []
    for count in range(2, 6):
        frames = MotionSet().clip('val', 2, 0)[:count]
        solver = input_solver(brightness_flow(frames)[:, 0], count)
        numbers = np.arange(count)
        clip = FlowClip('a clip', numbers, numbers / 10, frames, dict(grey=solver))
        heights.append(Strips(clip, 1).draw_flow_of_flow().shape[0])
    assert heights[0] < heights[1] < heights[2] == heights[3]
