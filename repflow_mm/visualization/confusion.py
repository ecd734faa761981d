"""The confusion matrix of a test: picture, table and the worst classes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from unicodedata import east_asian_width

import numpy as np

from repflow_mm.files import atomic_path, write_text
from repflow_mm.visualization.fonts import families

# Inches per class: with numbers in the cells, and at least to read a name.
_CELL, _LEAST_CELL = 0.42, 0.13
_NUMBERED = 30  # classes up to which cells hold numbers
_LONGEST = 28  # characters of a name on an axis


def draw_confusion(matrix: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix, readable with 2 to 400 classes.

    Shades are shares of a true class, so that small classes are as visible as large
    ones; up to 30 classes, cells hold the numbers of clips.

    Args:
        matrix (np.ndarray): `(K, K)` clips: true class by row, predicted by column.
        names (Sequence[str]): `(K,)`.
        path (Path): The PNG file to write, atomically.
    """
    from matplotlib.figure import Figure  # 0.8 s, which each start would take

    count = len(names)
    cell = min(max(9 / count, _LEAST_CELL), 2 * _CELL)
    size = min(max(60 * cell, 6), 10)  # points
    short = [
        name if len(name) <= _LONGEST else f'{name[: _LONGEST - 1]}…' for name in names
    ]
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    # Margins are set by hand: a layout engine takes minutes for 400 classes.
    side, margin = cell * count, 0.7 + max(map(_cells, short)) * size * 0.6 / 72
    width, height = max(margin + side + 0.4, 5.5), margin + side + 0.6
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes(
        (margin / width, margin / height, side / width, side / height)
    )
    axis.imshow(shares, cmap='Blues', vmin=0, vmax=1, interpolation='nearest')
    if count <= _NUMBERED:
        for row, column in np.argwhere(matrix):
            axis.text(
                *(column, row, str(matrix[row, column])),
                color='white' if shares[row, column] > 0.5 else 'black',
                fontsize=size,
                ha='center',
                va='center',
            )
    # Thin lines lead the eye along rows and columns.
    edges = np.arange(1, count) - 0.5
    axis.hlines(edges, -0.5, count - 0.5, color='0.9', linewidth=0.5)
    axis.vlines(edges, -0.5, count - 0.5, color='0.9', linewidth=0.5)
    font = dict(fontsize=size, fontfamily=families(''.join(short)), parse_math=False)
    axis.set_xticks(range(count), short, rotation=90, **font)
    axis.set_yticks(range(count), short, **font)
    axis.set_xlabel('predicted')
    axis.set_ylabel('true')
    axis.tick_params(length=0)
    axis.spines[:].set_color('0.7')
    axis.set_title(summary(matrix), fontsize=10, loc='left', pad=8)
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, dpi=100, format='png')


def _cells(name: str) -> int:
    """Length of a name; a Chinese character is as wide as two letters."""
    return sum(2 if east_asian_width(letter) in 'WF' else 1 for letter in name)


def summary(matrix: np.ndarray) -> str:
    """Number of clips, and the accuracies over clips and over classes.

    Args:
        matrix (np.ndarray): As for :func:`draw_confusion`.

    Returns:
        str: One line.
    """
    right = np.trace(matrix) / max(matrix.sum(), 1)
    shares = _accuracies(matrix)
    return (
        f'{matrix.sum()} clips, {right:.1%} right; mean of the classes '
        f'{np.nanmean(shares):.1%}'
    )


def write_table(matrix: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Write a row per true class: name, clips, accuracy (0 to 1), clips per prediction.

    Args:
        matrix (np.ndarray): As for :func:`draw_confusion`.
        names (Sequence[str]): `(K,)`.
        path (Path): The CSV file to write, atomically.
    """
    text = io.StringIO(newline='')
    table = csv.writer(text)
    table.writerow(['class', 'clips', 'accuracy', *names])
    for name, row, share in zip(names, matrix, _accuracies(matrix), strict=True):
        known = '' if np.isnan(share) else f'{share:.4f}'
        table.writerow([name, row.sum(), known, *row])
    write_text(path, text.getvalue())


def per_class(matrix: np.ndarray, names: Sequence[str], limit: int) -> list[str]:
    """Accuracy of each class and what it is most often mistaken for.

    Args:
        matrix (np.ndarray): As for :func:`draw_confusion`.
        names (Sequence[str]): `(K,)`.
        limit (int): Above this number of classes, only the worst are given.

    Returns:
        list[str]: A line per class that was tested, in the order of the labels; with
        more than `limit`, the worst ones first.
    """
    shares = _accuracies(matrix)
    order = np.flatnonzero(~np.isnan(shares))
    if len(order) > limit:
        order = order[np.argsort(shares[order], kind='stable')][:limit]
    width = max((len(names[k]) for k in order), default=0)
    lines = []
    for k in order:
        wrong = matrix[k].copy()
        wrong[k] = 0
        line = f'{names[k]:<{width}} {shares[k]:>6.1%} of {matrix[k].sum():>3}'
        if wrong.any():
            line += f', {wrong.max()} as {names[wrong.argmax()]}'
        lines.append(line)
    return lines


def _accuracies(matrix: np.ndarray) -> np.ndarray:
    """Of each class, 0 to 1; NaN without clips."""
    total = matrix.sum(1)
    return np.where(total, np.diag(matrix) / np.maximum(total, 1), np.nan)
