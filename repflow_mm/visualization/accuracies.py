"""Accuracies of the arms of an experiment: a point per seed, means with intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from repflow_mm.files import atomic_path

_MEAN, _SEED, _REFERENCE = '#0e7490', '#94a3b8', '#c2410c'
_COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """The accuracies on one test.

    Args:
        title (str): Name of the test.
        values (Mapping[str, Sequence[float]]): By arm, one per seed, in %.
        intervals (Mapping[str, tuple[float, float]]): By arm, mean and half the width
            of its interval, which may be infinite; arms without values are left out.
        chance (float): Accuracy of guessing, in %.
    """

    title: str
    values: Mapping[str, Sequence[float]]
    intervals: Mapping[str, tuple[float, float]]
    chance: float


def draw_accuracies(panels: Sequence[Panel], baseline: str, path: Path) -> None:
    """Draw a panel per test, with a line per arm.

    Args:
        panels (Sequence[Panel]): The tests, all of the same arms.
        baseline (str): The arm whose mean is drawn through all lines.
        path (Path): The PNG file to write, atomically.
    """
    arms = list(panels[0].values)
    columns = min(len(panels), _COLUMNS)
    rows = math.ceil(len(panels) / columns)
    width = 2.2 + (3.2 * columns if columns > 1 else 5)
    height = 0.4 + (0.9 + 0.34 * len(arms)) * rows
    figure = Figure(figsize=(width, height), layout='constrained')
    figure.get_layout_engine().set(w_pad=0.12)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for panel, axis in zip(panels, axes.flat, strict=False):
        _draw(axis, panel, baseline)
        axis.set_yticks(range(len(arms)), arms, parse_math=False)
        axis.set_ylim(len(arms) - 0.5, -0.5)
    figure.supxlabel(
        'top-1 in %; small: one seed, large: mean with 95 % interval; '
        'dashed: baseline, dotted: chance',
        fontsize=8,
        color='0.35',
    )
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, dpi=120, format='png')


def _draw(axis, panel: Panel, baseline: str) -> None:
    axis.axvline(panel.chance, color='0.6', linestyle=':', linewidth=1)
    if baseline in panel.intervals:
        axis.axvline(
            panel.intervals[baseline][0],
            color=_REFERENCE,
            linestyle='--',
            linewidth=1,
        )
    for place, (arm, values) in enumerate(panel.values.items()):
        if arm not in panel.intervals:
            axis.text(panel.chance, place, ' not run', va='center', color='0.5', size=8)
            continue
        mean, half = panel.intervals[arm]
        # Also at 0 and 100 % a point is whole.
        rows = [place + 0.2] * len(values)
        axis.scatter(values, rows, s=12, color=_SEED, zorder=3, clip_on=False)
        if math.isfinite(half):
            axis.plot(
                [max(mean - half, 0), min(mean + half, 100)],
                [place, place],
                color=_MEAN,
                linewidth=2,
                solid_capstyle='butt',
            )
        axis.plot(mean, place, 'o', color=_MEAN, markersize=6, zorder=4, clip_on=False)
    axis.set_xlim(0, 100)
    title = dict(loc='left', fontsize=10, fontweight='bold', parse_math=False)
    axis.set_title(panel.title, **title)
    axis.grid(axis='x', color='0.92')
    axis.set_axisbelow(True)
    axis.tick_params(color='0.7', labelcolor='0.2', labelsize=9)
    axis.spines[['top', 'right']].set_visible(False)
    axis.spines[['left', 'bottom']].set_color('0.7')
