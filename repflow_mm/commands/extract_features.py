"""Extract the features of videos, before the network's head."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from repflow_mm.allocator import keep_memory
from repflow_mm.commands._arguments import (
    add_model,
    add_videos,
    each_video,
    model_of,
    videos_of,
)
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command
from repflow_mm.files import write_bytes


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Extract the features of videos.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Write one NAME.npz per video: clip (W, D), the features of each '
        'window, averaged over space and time; frame (W, T, D), averaged over space '
        'only; seconds (W, 2), start and end of each window'
    )
    add_videos(parser)
    add_model(parser, required=True)
    parser.add_argument(
        '--out', type=Path, required=True, metavar='FOLDER', help='output folder'
    )
    args = parser.parse_args(argv)
    keep_memory()
    videos = videos_of(args)
    recognizer = model_of(args)
    console = Console(highlight=False, soft_wrap=True)

    def show(path: Path, name: Path) -> None:
        features = recognizer.features(path)
        target = args.out / name.with_name(name.name + '.npz')
        content = io.BytesIO()
        np.savez(content, **features)
        write_bytes(target, content.getvalue())
        windows, frames, size = features['frame'].shape
        console.print(
            f'{target}: {windows} windows, {frames} frames, {size} features',
            markup=False,
        )

    each_video(videos, show, progress=console)
