"""The figures of the documentation match its text."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dev import draw_figures, figures


@pytest.mark.parametrize('motion', figures.MOTIONS)
def test_the_solver_finds_motions_that_are_known(motion):
    first, second, truth = figures.moved_texture(motion)
    assert np.hypot(*np.moveaxis(truth, -1, 0)).max() <= 1.05 * figures.FASTEST
    errors = [
        figures.end_point_error(figures.solve(first, second, n_iters=n), truth)
        for n in (5, 20, 100)
    ]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05


def test_the_figures_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, 'ITERATIONS', (1, 2))
    monkeypatch.setattr(figures, 'PLOTTED', ())
    draw_figures.main([str(tmp_path), '--kinds', 'transparent'])
    pictures = [cv2.imread(str(path)) for path in tmp_path.glob('*.png')]
    assert len(pictures) == 2 and all(picture.std() > 30 for picture in pictures)
    film = Image.open(tmp_path / 'kinds' / 'transparent.webp')
    assert film.n_frames == 11
    sheet = Image.open(tmp_path / 'kinds' / 'transparent_sheet.webp')
    assert sheet.n_frames == 1 and sheet.width == film.width
    # Three frames and two flows instead of one and two.
    assert sheet.height == film.height + 2 * 118
