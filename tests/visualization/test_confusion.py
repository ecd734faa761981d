"""Confusion matrices as a picture, a table and lines."""

import csv
import math

import cv2
import numpy as np

from repflow_mm.visualization.accuracies import Panel, draw_accuracies
from repflow_mm.visualization.confusion import (
    draw_confusion,
    per_class,
    summary,
    write_table,
)

NAMES = ('run', 'skip', 'walk', 'never')
MATRIX = np.array([[3, 1, 0, 0], [4, 2, 0, 0], [0, 0, 10, 0], [0, 0, 0, 0]])


def test_lines():
    assert summary(MATRIX) == '20 clips, 75.0% right; mean of the classes 69.4%'
    assert per_class(MATRIX, NAMES, limit=4) == [
        'run   75.0% of   4, 1 as skip',
        'skip  33.3% of   6, 4 as run',
        'walk 100.0% of  10',
    ]
    assert per_class(MATRIX, NAMES, limit=1) == ['skip  33.3% of   6, 4 as run']


def test_table(tmp_path):
    write_table(MATRIX, NAMES, tmp_path / 'matrix.csv')
    rows = list(csv.DictReader((tmp_path / 'matrix.csv').open(newline='')))
    assert [row['accuracy'] for row in rows] == ['0.7500', '0.3333', '1.0000', '']
    assert rows[1]['class'] == 'skip' and rows[1]['clips'] == '6'
    assert np.array_equal([[int(row[n]) for n in NAMES] for row in rows], MATRIX)


def test_names_with_dollar_signs(tmp_path):
    draw_confusion(np.eye(2, dtype=int), ['$x^$', 'pay $5_$10'], tmp_path / 'a.png')
    panel = Panel('a $b^$', {'$x^$': [50.0]}, {'$x^$': (50.0, math.inf)}, 10.0)
    draw_accuracies([panel], '$x^$', tmp_path / 'b.png')
    assert all((tmp_path / name).stat().st_size > 5000 for name in ('a.png', 'b.png'))


def test_a_true_class_is_a_row_of_the_picture(tmp_path):
    """Also with more classes than have room for numbers."""
    for count in (2, 60):
        matrix = np.eye(count, dtype=int)
        matrix[0, count - 1] = 9  # the first class, taken for the last: top right
        path = tmp_path / f'{count}.png'
        draw_confusion(matrix, [f'a long name {k}' for k in range(count)], path)
        picture = cv2.imread(str(path)).astype(int)
        blue = (picture[..., 0] - picture[..., 2]) > 60
        rows, columns = np.nonzero(blue)
        top, right = rows.min(), columns.max()
        side = min(rows.max() - top, right - columns.min())
        cell = side // count
        corner = blue[top : top + cell, right - cell : right]
        opposite = blue[rows.max() - cell : rows.max(), : columns.min() + cell // 2]
        assert corner.mean() > 0.8 and opposite.mean() < 0.1
        assert side > 6 * count  # room for a name
