"""Sheets of tiles: positions, sizes, colours and arrows."""

import numpy as np
import pytest
from PIL import Image

from repflow_mm.visualization.sheet import (
    Row,
    draw_sheet,
    draw_tile,
    render,
    save_png,
)


def plain(colour, height=4, width=4):
    return np.full((height, width, 3), colour, np.uint8)


def vectors(dx, dy, height=4, width=4):
    return np.full((height, width, 2), (dx, dy), np.float32)


def colours(picture) -> set[tuple[int, ...]]:
    return set(map(tuple, picture.reshape(-1, 3).tolist()))


def test_frames_and_flows_in_one_scale_with_its_legend():
    rows = [
        Row('frame', [plain(10), plain(30)]),
        Row('right', [vectors(2, 0), vectors(4, 0)], ['slow', 'fast']),
    ]
    picture = draw_sheet(rows, 'heading', ('0 s', '1 s'), 'pixels', size=50)
    assert picture.dtype == np.uint8
    found = colours(picture[:, :170])
    assert {(10,) * 3, (30,) * 3, (255, 0, 0), (255, 128, 128)} <= found
    # All of the wheel is to the right of the tiles.
    wheel = colours(picture[:, 170:])
    assert (255, 255, 255) in wheel and len(wheel) > 1000
    assert min(abs(r - 255) + g + b for r, g, b in wheel) < 20  # red
    same = draw_sheet(rows, 'heading', ('0 s', '1 s'), 'pixels', scale=2, size=50)
    assert (255, 128, 128) not in colours(same[:, :170])
    bare = draw_sheet([Row('', [plain(10)] * 2)], size=50)
    assert bare.shape == (70, 126, 3)


def test_a_tile_has_its_size_and_vectors_stay_blocks():
    flow = np.concatenate((vectors(1, 0, 2, 1), vectors(-1, 0, 2, 1)), axis=1)
    tile = np.asarray(draw_tile(flow, (20, 10), 1.0))
    assert tile.shape == (10, 20, 3)
    assert (tile[1:-1, 1:10] == (255, 0, 0)).all()
    assert (tile[1:-1, 10:-1] == (0, 197, 255)).all()


@pytest.mark.parametrize('vector', [(1, 0), (0, -1), (9, 9)])
def test_arrows_stay_inside_their_cells(vector):
    """In a tile whose outer cells have no motion, they contain no ink."""
    flow = np.zeros((10, 10, 2))
    flow[3:7, 3:7] = vector
    box = (200, 200)
    with_arrows = np.asarray(draw_tile(flow, box, 1.0, arrows=True)).astype(int)
    ink = np.abs(with_arrows - np.asarray(draw_tile(flow, box, 1.0))).sum(-1) > 0
    rows, columns = np.nonzero(ink)
    assert ink.any() and min(rows.min(), columns.min()) >= 60
    assert max(rows.max(), columns.max()) < 140


def test_wide_headings_are_shortened():
    rows = [Row('', [plain(1)])]
    assert draw_sheet(rows, 'x' * 500).shape == draw_sheet(rows, 'x').shape


def test_figures_below_a_sheet(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2])
    plot = render(figure, 431)
    assert plot.shape == (220, 431, 3) and plot.std() > 10
    path = save_png(plot, tmp_path / 'new' / 'plot.png')
    assert (np.asarray(Image.open(path)) == plot).all()


@pytest.mark.parametrize(
    ('tiles', 'match'),
    [
        ([], 'no tiles'),
        ([np.zeros((3, 4))], r'\(3, 4\)'),
        ([np.zeros((3, 4, 3))], 'float64'),
    ],
)
def test_what_is_no_picture(tiles, match):
    with pytest.raises(ValueError, match=match):
        draw_sheet([Row('row', tiles)])
