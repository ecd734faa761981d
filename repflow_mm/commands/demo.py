"""Classify videos of any length and show their flow."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from repflow_mm.allocator import keep_memory
from repflow_mm.class_names import numbered_classes
from repflow_mm.commands._arguments import (
    add_model,
    add_videos,
    each_video,
    model_of,
    videos_of,
)
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.config.find import TINY
from repflow_mm.errors import InputError, command
from repflow_mm.files import write_text
from repflow_mm.inference.prediction import Prediction
from repflow_mm.inference.recognizer import Recognizer
from repflow_mm.visualization.demo_video import DemoVideo
from repflow_mm.visualization.flow_clip import FlowClip

try:
    import resource
except ImportError:  # Windows
    resource = None


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print the top classes of videos.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Classify videos of any length with a trained network: print the '
        'top classes, averaged over consecutive windows, and with --out write the '
        'videos with labels and flow beside them. Without --config and --checkpoint, '
        f'the network is {TINY}, which tells ten motions apart'
    )
    add_videos(parser)
    add_model(parser, required=False)
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FOLDER',
        help='write NAME.mp4, NAME.gif (its first 150 frames) and predictions.json',
    )
    parser.add_argument(
        '--top', type=at_least(1), default=5, metavar='N', help='classes to print'
    )
    args = parser.parse_args(argv)
    keep_memory()
    videos = videos_of(args)
    if args.out is not None:
        _check_videos_are_kept(videos, args.out)
    recognizer = model_of(args)
    console, started = Console(highlight=False, soft_wrap=True), time.perf_counter()
    predictions, windows = [], 0

    def show(path: Path, name: Path) -> None:
        nonlocal windows
        prediction = _watch(recognizer, path, args.out and args.out / name, console)
        windows += len(prediction.windows)
        best = prediction.top(args.top)
        console.print(f'{path}', markup=False, style='bold')
        for _, label, score in best:
            console.print(f'  {100 * score:5.1f} %  {label}', markup=False)
        if args.out is not None:
            written = args.out / name
            console.print(f'  wrote {written}.mp4 and {written}.gif', markup=False)
        predictions.append(
            dict(
                video=str(path),
                windows=len(prediction.windows),
                classes=[answer.name for answer in best],
                labels=[answer.label for answer in best],
                scores=[round(answer.score, 6) for answer in best],
            )
        )

    try:
        each_video(videos, show)
    finally:
        if args.out is not None and predictions:
            text = json.dumps(predictions, indent=2, ensure_ascii=False) + '\n'
            target = args.out / 'predictions.json'
            write_text(target, text)
            console.print(f'wrote {target}', markup=False)
        if recognizer.classes == numbered_classes(len(recognizer.classes)):
            console.print(
                'Classes are shown as numbers, because neither the config nor the '
                'checkpoint names them: --cfg-options class_names=FILE, with one name '
                'per line'
            )
        _summary(windows, started, console)


def _check_videos_are_kept(videos: Mapping[Path, Path], out: Path) -> None:
    """Raise `InputError` if what is written would replace a video."""
    given = {path.resolve(): path for path in videos}
    for name in videos.values():
        for suffix in ('.mp4', '.gif'):
            written = Path(f'{out / name}{suffix}').resolve()
            if written in given:
                raise InputError(
                    f'{given[written]} would be overwritten: choose another --out'
                )


def _summary(windows: int, started: float, console: Console) -> None:
    spent = time.perf_counter() - started
    console.print(f'{windows} windows in {spent:.1f} s{_memory()}')


def _watch(
    recognizer: Recognizer, path: Path, out: Path | None, console: Console
) -> Prediction:
    video = recognizer.open(path)
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('windows'),
        TimeRemainingColumn(),
    )
    with ExitStack() as stack:
        writer = None
        if out is not None:
            first = video.indices[0]
            step = np.ptp(first) / max(len(first) - 1, 1)
            fps = video.fps / step if step else video.fps
            writer = stack.enter_context(DemoVideo(out, fps))
        progress = stack.enter_context(
            Progress(
                *columns,
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )
        task = progress.add_task(path.name, total=len(video))

        def show(window: FlowClip) -> None:
            if writer is not None:
                writer.add(window)
            progress.advance(task)

        return recognizer.predict(video, show)


def _memory() -> str:
    if resource is None:
        return ''
    unit = 2**30 if sys.platform == 'darwin' else 2**20  # bytes on macOS, else KiB
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return f', peak memory {own:.2f} GiB (excluding the decoder)'
