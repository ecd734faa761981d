"""The demo's picture: what the network sees of each motion, and how it learned."""

import contextlib
import io
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmaction.apis import init_recognizer
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from repflow_mm.datasets.motion_set import CLASSES
from repflow_mm.visualization.choice import most_active, shared_scale
from repflow_mm.visualization.flow_colour import colour_wheel, flow_to_rgb

_SHOWN_CHANNELS = 3


def draw(flow_run, rgb_run, data: Path, path: Path) -> Path:
    """Draw one column a class, the flow of three channels, and both curves.

    Args:
        flow_run (Run): The trained network with representation flow.
        rgb_run (Run): Its twin.
        data (Path): The motion set.
        path (Path): The PNG file to write.

    Returns:
        Path: `path`.
    """
    frames, flows = _look(flow_run, data)
    shown = most_active(flows, _SHOWN_CHANNELS)
    scale = shared_scale([flows[:, shown]])
    speed = np.hypot(flows[..., 0], flows[..., 1])
    flows = flows * np.minimum(1, scale / np.maximum(speed, 1e-9))[..., None]

    figure = Figure(figsize=(13, 7.4), layout='constrained')
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.75, 1))
    axes = top.subplots(1 + _SHOWN_CHANNELS, len(CLASSES))
    for column, name in enumerate(CLASSES):
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

    curves, legend = bottom.subplots(1, 2, width_ratios=(3.2, 1))
    for run, colour in ((flow_run, '#c2410c'), (rgb_run, '#475569')):
        curve = run.log()['acc/top1']
        accuracy = 100 * np.array(curve.values)
        curves.plot(curve.steps, accuracy, 'o-', color=colour, label=run.name)
    chance = 100 / len(CLASSES)
    curves.axhline(chance, color='0.6', linestyle=':', label='chance')
    curves.set(
        xlabel='epoch', ylabel='validation top-1 (%)', ylim=(0, 104), xticks=curve.steps
    )
    curves.legend(loc='center right', frameon=False)
    curves.spines[['top', 'right']].set_visible(False)
    legend.imshow(colour_wheel(), extent=(-scale, scale, scale, -scale))
    legend.set_title('direction and speed of flow', fontsize=10)
    legend.set_xlabel('pixels of the feature map per frame')
    legend.spines[:].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _look(run, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """One validation clip a class: a frame, and the clip's mean flow by channel."""
    cfg = Config.fromfile(run.config)
    part = cfg.test_dataloader.dataset
    part.ann_file = str(data / 'motion_val_list_videos.txt')
    part.data_prefix.video = str(data / 'videos_val')
    dataset = DATASETS.build(part)
    first = {}
    for index in range(len(dataset)):
        first.setdefault(dataset.get_data_info(index)['label'], index)
    batch = pseudo_collate([dataset[first[label]] for label in range(len(CLASSES))])

    with contextlib.redirect_stdout(io.StringIO()):  # it says what it loads
        model = init_recognizer(cfg, str(run.checkpoint), device='cpu')
    layer = model.backbone.flow
    seen = []
    handle = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model.test_step(batch)
        u_x, u_y = layer.flow(seen[0])
    handle.remove()
    clips = torch.stack(batch['inputs'])[:, 0]  # (N, 1, C, T, H, W)
    frames = clips[:, :, clips.shape[2] // 2].permute(0, 2, 3, 1).numpy()
    flows = torch.stack((u_x, u_y), dim=-1).mean(dim=2).numpy()
    return frames, flows
