"""Draw Grad-CAM heat maps of videos."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from rich.console import Console
from torch import nn

from repflow_mm.allocator import keep_memory
from repflow_mm.commands._arguments import (
    add_drawn_frames,
    add_model,
    add_videos,
    each_video,
    model_of,
    videos_of,
)
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import InputError, command
from repflow_mm.inference.grad_cam import grad_cam
from repflow_mm.inference.recognizer import Recognizer
from repflow_mm.layers import motion_layers
from repflow_mm.models import LateFusion
from repflow_mm.visualization.flow_clip import even_steps
from repflow_mm.visualization.sheet import Row, draw_sheet, save_png


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw Grad-CAM heat maps of videos.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Draw Grad-CAM heat maps, the evidence for a class, at stages of '
        'the network, for one window of each video'
    )
    add_videos(parser)
    add_model(parser, required=True)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('grad_cam'),
        metavar='FOLDER',
        help='output folder of NAME.png (default: %(default)s)',
    )
    parser.add_argument(
        '--stages',
        nargs='+',
        metavar='MODULE',
        help='e.g. backbone.layer4 (default: the motion layers and the backbone)',
    )
    parser.add_argument(
        '--label', help='class name or number (default: the highest-scoring class)'
    )
    add_drawn_frames(parser)
    args = parser.parse_args(argv)
    keep_memory()
    videos = videos_of(args)
    recognizer = model_of(args)
    model = recognizer.model
    stages = args.stages or [*motion_layers(model), *_backbones(model)]
    lenient = args.stages is None  # the backbone may end in a vector, as C3D does
    label = None if args.label is None else _label(args.label, recognizer.classes)
    console = Console(highlight=False, soft_wrap=True)

    def show(path: Path, name: Path) -> None:
        target = args.out / name.with_name(name.name + '.png')
        heats = partial(grad_cam, stages=stages, label=label, lenient=lenient)
        _draw(recognizer, path, target, heats, args.start, args.columns)
        console.print(f'{target}', markup=False)

    each_video(videos, show, progress=console)


def _draw(
    recognizer: Recognizer,
    path: Path,
    target: Path,
    heats_of: Callable,
    start: float,
    columns: int,
) -> None:
    video = recognizer.open(path, start)
    window = next(iter(video))
    heats, label = heats_of(recognizer.model, window)
    shown = even_steps(len(window.indices), columns)
    rows = [Row('frame', window.frames[shown])]
    rows += [
        Row(stage, [_glow(window.frames[i], heat[i]) for i in shown])
        for stage, heat in heats.items()
    ]
    times = [f'{window.indices[i] / video.fps:.2f} s' for i in shown]
    title = f'{video.name}: Grad-CAM of {recognizer.classes[label]!r}'
    save_png(draw_sheet(rows, title, times), target)


def _backbones(model: nn.Module) -> list[str]:
    if isinstance(model, LateFusion):
        return [f'streams.{n}.backbone' for n in range(len(model.streams))]
    return ['backbone']


def _glow(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Overlay a heat map on the greyscale frame."""
    grey = frame.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    glow = 255 * colormaps['inferno'](heat)[..., :3]
    share = 0.75 * heat[..., None] ** 0.5
    return ((1 - share) * grey + share * glow).round().astype(np.uint8)


def _label(asked: str, names: Sequence[str]) -> int:
    if asked in names:
        return names.index(asked)
    if asked.isdecimal() and int(asked) < len(names):
        return int(asked)
    raise InputError(
        f'--label {asked!r} is not a class: give a number below {len(names)}, or a '
        f'name such as {names[0]!r}'
    )
