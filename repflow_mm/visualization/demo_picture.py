"""The demo's picture: what the network sees of each motion, and how it learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from repflow_mm.files import atomic_path
from repflow_mm.visualization.choice import most_active, shared_scale
from repflow_mm.visualization.flow_colour import colour_wheel, flow_to_rgb
from repflow_mm.visualization.run_log import Curve

_SHOWN_CHANNELS = 3
_COLOURS = ('#c2410c', '#475569')


def draw_demo(
    names: Sequence[str],
    frames: np.ndarray,
    flows: np.ndarray,
    curves: Mapping[str, Curve],
    path: Path,
) -> None:
    """Draw a column per class with the flow of three channels, and both curves.

    Args:
        names (Sequence[str]): The `K` classes.
        frames (np.ndarray): A frame of each, `(K, H, W, 3)`, uint8 RGB.
        flows (np.ndarray): Its flow by channel, `(K, C, h, w, 2)`, pixels of the
            feature map, +x right and +y down.
        curves (Mapping[str, Curve]): Validation accuracy in [0, 1] of two networks, by
            name.
        path (Path): The PNG file to write.
    """
    shown = most_active(flows, _SHOWN_CHANNELS)
    scale = shared_scale([flows[:, shown]])
    speed = np.hypot(flows[..., 0], flows[..., 1])
    flows = flows * np.minimum(1, scale / np.maximum(speed, 1e-9))[..., None]

    figure = Figure(figsize=(13, 7.4), layout='constrained')
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.75, 1))
    axes = top.subplots(1 + _SHOWN_CHANNELS, len(names))
    for column, name in enumerate(names):
        axes[0, column].imshow(frames[column])
        axes[0, column].set_title(name.replace('_', '\n', 1), fontsize=10)
        for row, channel in enumerate(shown, 1):
            picture = flow_to_rgb(flows[column, channel], scale)
            axes[row, column].imshow(picture, interpolation='nearest')
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    axes[0, 0].set_ylabel('frame')
    for row, channel in enumerate(shown, 1):
        axes[row, 0].set_ylabel(f'flow of\nchannel {channel}')

    plot, legend = bottom.subplots(1, 2, width_ratios=(3.2, 1))
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
    legend.imshow(colour_wheel(), extent=(-scale, scale, scale, -scale))
    legend.set_title('direction and speed of flow', fontsize=10)
    legend.set_xlabel('pixels of the feature map per frame')
    legend.spines[:].set_visible(False)
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, dpi=110)
