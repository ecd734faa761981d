"""The demo's picture: the flow of each class of motion, and learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from repflow_mm.visualization.flow_clip import FlowClip, most_active
from repflow_mm.visualization.run_log import Curve
from repflow_mm.visualization.sheet import Row, draw_sheet, render, save_png

_SHOWN_CHANNELS = 3
_COLOURS = ('#c2410c', '#475569')


def draw_demo(
    names: Sequence[str],
    clips: Sequence[FlowClip],
    curves: Mapping[str, Curve],
    path: Path,
) -> None:
    """Draw one column per class with the flow of three channels, and both curves.

    Args:
        names (Sequence[str]): Class names.
        clips (Sequence[FlowClip]): One clip per class, as the network sees it; the flow
            of the first layer is shown, averaged over the clip.
        curves (Mapping[str, Curve]): Validation accuracy in [0, 1] of two networks, by
            name.
        path (Path): The PNG file to write.
    """
    layer = clips[0].first_flow()
    # (class, channel, h, w, 2); the last frame repeats the flow before it.
    flows = np.stack([clip.flow(layer)[:-1].mean(axis=0) for clip in clips])
    shown = most_active(flows, _SHOWN_CHANNELS)
    rows = [Row('frame', [clip.frames[len(clip.frames) // 2] for clip in clips])]
    rows += [Row(f'flow of\nchannel {c}', flows[:, c]) for c in shown]
    columns = [name.replace('_', '\n', 1) for name in names]
    unit = 'pixels of the\nfeature map\nper frame'
    sheet = draw_sheet(rows, columns=columns, unit=unit, size=120)

    figure = Figure(figsize=(13, 3), layout='constrained')
    plot = figure.subplots()
    for (name, curve), colour in zip(curves.items(), _COLOURS, strict=True):
        accuracy = 100 * np.array(curve.values)
        plot.plot(curve.steps, accuracy, 'o-', color=colour, label=name)
    chance = 100 / len(names)
    plot.axhline(chance, color='0.6', linestyle=':', label='chance')
    plot.set(
        xlabel='epoch', ylabel='validation top-1 (%)', ylim=(0, 104), xticks=curve.steps
    )
    plot.legend(loc='center right', frameon=False)
    plot.spines[['top', 'right']].set_visible(False)
    save_png(np.concatenate((sheet, render(figure, sheet.shape[1]))), path)
