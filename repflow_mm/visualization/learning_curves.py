"""Plot the learning curves of several training runs together."""

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from matplotlib.figure import Figure

from repflow_mm.errors import InputError, shorten
from repflow_mm.files import atomic_path
from repflow_mm.visualization.fonts import families
from repflow_mm.visualization.run_log import Curve

KEYS = (
    'loss',
    'acc/top1',
    'lr',
    'flow/*/magnitude_mean',
    'flow/*/tau',
    'flow/*/lam',
    'flow/*/theta',
)
_INCHES_PER_CHARACTER = 0.1  # of a legend's font, rather more than less
_HANDLE = 6  # characters that fit in place of a line, and the space around it
_COLOURS = ('#c2410c', '#475569', '#0e7490', '#ca8a04', '#7c3aed', '#15803d', '#db2777')
_COLUMNS = 4


def choose_keys(
    runs: Mapping[str, Mapping[str, Curve]], patterns: Sequence[str] | None = None
) -> list[str]:
    """Select logged keys by name or pattern, in the order of the patterns.

    Args:
        runs (Mapping[str, Mapping[str, Curve]]): Results of :func:`read_run`, by name
            of the run.
        patterns (Sequence[str], optional): Names or shell-style patterns. Defaults to
            :data:`KEYS`, as far as they were logged.

    Returns:
        list[str]: Unique keys.

    Raises:
        InputError: If a pattern matches nothing; the message lists the logged keys.
    """
    there = sorted({key for curves in runs.values() for key in curves})
    chosen: dict[str, None] = {}
    for pattern in patterns or KEYS:
        found = [key for key in there if fnmatchcase(key, pattern)]
        if patterns and not found:
            raise InputError(f'no run logged {pattern!r}: there are {", ".join(there)}')
        chosen |= dict.fromkeys(found)
    return list(chosen or dict.fromkeys(there))


def draw_curves(
    runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str], path: Path
) -> None:
    """Draw one panel per key, with a line for each run that logged it.

    Args:
        runs (Mapping[str, Mapping[str, Curve]]): As for :func:`choose_keys`; the names
            go into the legend.
        keys (Sequence[str]): Keys to draw, at least one.
        path (Path): The PNG file to write.
    """
    columns = min(len(keys), _COLUMNS)
    rows = math.ceil(len(keys) / columns)
    figure = Figure(figsize=(4 * columns, 2.8 * rows + 0.5), layout='constrained')
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(keys) :]:
        axis.set_axis_off()
    lines = {}
    for key, axis in zip(keys, axes.flat, strict=False):
        for index, (name, curves) in enumerate(runs.items()):
            if key not in curves:
                continue
            curve = curves[key]
            (lines[name],) = axis.plot(
                curve.steps,
                curve.values,
                color=_COLOURS[index % len(_COLOURS)],
                linestyle='-' if index < len(_COLOURS) else '--',
                linewidth=max(2.2 - 0.4 * index, 1.2),  # coinciding lines stay visible
                marker='o' if len(curve.steps) <= 30 else None,
                markersize=4,
            )
            axis.set_xlabel(curve.unit, color='0.35')
        _tidy(axis, key)
    drawn = [name for name in runs if name in lines]
    room = int(4 * columns / _INCHES_PER_CHARACTER)
    names = [shorten(name, room - _HANDLE) for name in drawn]
    legend = figure.legend(
        [lines[name] for name in drawn],
        names,
        loc='outside upper center',
        ncols=max(1, min(len(runs), columns, room // (max(map(len, names)) + _HANDLE))),
        frameon=False,
        prop=dict(family=families(''.join(names))),
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name may have dollar signs
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, dpi=120, format='png')


def _tidy(axis, key: str) -> None:
    axis.set_title(key, loc='left', fontsize=10, fontweight='bold', parse_math=False)
    axis.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    axis.yaxis.set_major_formatter('{x:.6g}')
    axis.margins(x=0.02, y=0.08)
    axis.grid(axis='y', color='0.92')
    axis.tick_params(color='0.7', labelcolor='0.35', labelsize=9)
    axis.spines[['top', 'right']].set_visible(False)
    axis.spines[['left', 'bottom']].set_color('0.7')
