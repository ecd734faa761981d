"""Strips of pictures: places, sizes, and the colours of flow in them."""

import numpy as np
import pytest
from repflow_mm.visualization.strip import flow_strip, strip


def plain(colour, height=4, width=4):
    return np.full((height, width, 3), colour, np.uint8)


def test_rows_columns_and_sizes():
    corners = np.zeros((2, 3, 3), np.uint8)
    corners[0, 0], corners[1, 2] = (255, 0, 0), (0, 0, 255)
    checks = (np.indices((60, 90)).sum(0) % 2 * 200)[..., None].repeat(3, 2)
    picture = strip([[corners, checks.astype(np.uint8)], [plain(9)]], size=20, gap=5)
    assert picture.shape == (5 + 2 * 25, 5 + 2 * 35, 3) and picture.dtype == np.uint8
    assert (picture[5:15, 5:15] == (255, 0, 0)).all()  # one pixel is one block
    assert (picture[15:25, 25:35] == (0, 0, 255)).all()
    assert np.ptp(picture[5:25, 40:70].astype(int)) <= 25  # 3x3 blocks, averaged
    assert abs(picture[5:25, 40:70].mean() - 100) < 2
    assert (picture[30:50, 5:35] == 9).all()
    grey = picture[0, 0]
    assert (picture[30:50, 35:] == grey).all() and (picture[25:30] == grey).all()


def test_flow_of_the_most_active_channels_in_one_scale():
    frames = np.stack([plain(10 * t, 8, 8) for t in range(5)])
    flow = np.zeros((5, 4, 2, 2, 2))
    flow[3, ..., 0] = 2  # right, the fastest
    flow[1, ..., 1] = -1  # up, half as fast
    flow[4, ..., 1] = np.nan
    picture = flow_strip(frames, flow, channels=2, columns=2, size=11)
    assert picture.shape == (3 + 3 * 14, 3 + 3 * 14, 3)

    def tile(row, column):
        return picture[8 + 14 * row, 8 + 14 * column].tolist()

    assert [tile(0, 0), tile(0, 1)] == [[0] * 3, [30] * 3]  # the first of each pair
    assert tile(1, 0) == tile(1, 1) == [255, 0, 0]
    assert tile(2, 0) == tile(2, 1) == [179, 128, 255]  # up is violet, half saturated
    assert tile(0, 2) == [255] * 3  # the middle of the wheel
    assert picture[8, 41].tolist() == [255, 0, 0]
    still = flow_strip(frames, np.zeros((2, 4, 2, 2, 2)), size=10)
    assert (still[16:26, 3:13] == 255).all()


@pytest.mark.parametrize(
    ('rows', 'match'),
    [
        ([], 'no pictures'),
        ([[]], 'no pictures'),
        ([[np.zeros((3, 4))]], r'\(3, 4\)'),
        ([[np.zeros((3, 4, 3))]], 'float64'),
    ],
)
def test_what_is_no_picture(rows, match):
    with pytest.raises(ValueError, match=match):
        strip(rows)
