"""MFNet: which of the five differences a motion makes zero."""

import pytest
import torch

from repflow_mm.layers import MotionFilter
from repflow_mm.layers.mfnet import DIRECTIONS


@pytest.mark.parametrize('number', range(5))
def test_a_motion_of_one_pixel_empties_the_map_of_its_direction(number):
    right, down = DIRECTIONS[number]
    first = torch.rand(1, 1, 9, 8)
    clip = torch.stack((first, first.roll((down, right), (2, 3))), dim=2)
    maps = MotionFilter(6, flow_channels=1).motion(clip)[0, :, 0, 1:-1, 1:-1]
    assert [bool(each.any()) for each in maps] == [n != number for n in range(5)]


def test_zero_outside_the_map():
    clip = torch.zeros(1, 1, 2, 3, 3)
    clip[:, :, 0] = 1
    maps = MotionFilter(6, flow_channels=1).motion(clip)
    assert torch.equal(maps, -torch.ones(1, 5, 1, 3, 3))
    right = MotionFilter(6, flow_channels=1).motion(clip.flip(2))[0, 1, 0]
    assert torch.equal(right, torch.tensor((1.0, 1, 0)).expand(3, 3))


def test_widths():
    assert MotionFilter(512).reduce.out_channels == 32
    assert MotionFilter(3).reduce.out_channels == 1
    assert MotionFilter(512, budget='equal').reduce.out_channels == 16
