"""Draw the flow of videos, as pictures and as a page to explore."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from repflow_mm.commands._arguments import (
    add_model,
    add_videos,
    each_video,
    model_of,
    seconds,
    videos_of,
)
from repflow_mm.errors import InputError, command
from repflow_mm.inference.explorer_clip import explorer_clip
from repflow_mm.inference.strips import TAIL, Strips
from repflow_mm.inference.subject import Subject, raw_subject, seen_subject
from repflow_mm.video.decoders import DECODERS
from repflow_mm.visualization.explorer.page import write_page

_PAGE_FRAMES = 64


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the flow of videos.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='Draw the flow that a network sees in videos, in the standard '
        'colour wheel: of channels, over iterations, beside TV-L1, and the flow of the '
        'flow. Without --config and --checkpoint it is the flow of the frames, by the '
        'solver with its start values'
    )
    add_videos(parser)
    add_model(parser, required=False)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('flow'),
        metavar='FOLDER',
        help='gets NAME_flow.png, NAME_iterations.png, NAME_comparison.png and '
        'NAME_flow_of_flow.png (default: %(default)s)',
    )
    parser.add_argument(
        '--html', action='store_true', help='write NAME.html too, to explore'
    )
    parser.add_argument('--start', type=seconds, default=0, metavar='SECOND')
    parser.add_argument('--columns', type=int, default=6, help='frames in a picture')
    parser.add_argument('--layer', help='flow layer (default: the first)')
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument('--channels', type=int, nargs='+', metavar='C')
    chosen.add_argument(
        '--top', type=int, default=4, help='so many of the most active channels'
    )
    parser.add_argument('--arrows', action='store_true', help='arrows on the colours')
    parser.add_argument(
        '--interval', type=int, default=1, help='frames; without a network'
    )
    parser.add_argument(
        '--size', type=int, default=112, help='shorter side; without a network'
    )
    parser.add_argument('--decoder', choices=DECODERS, default='auto')
    args = parser.parse_args(argv)
    if (args.config is None) != (args.checkpoint is None):
        raise InputError('--config and --checkpoint go together: give both, or neither')
    for name in ('columns', 'top', 'interval', 'size'):
        if getattr(args, name) < 1:
            raise InputError(f'--{name} must be at least 1, got {getattr(args, name)}')
    videos = videos_of(args)
    look = _looker(args)
    console = Console(highlight=False, soft_wrap=True)

    def show(path: Path, name: Path) -> None:
        for written in _draw(look(str(path)), args.out / name, args, console):
            console.print(f'{written}', markup=False)

    each_video(videos, show)


def _looker(args: argparse.Namespace) -> Callable[[str], Subject]:
    window = args.columns + TAIL
    count = _PAGE_FRAMES if args.html else window
    if args.config is None:
        return lambda path: raw_subject(
            path, args.start, count, window, args.interval, args.size, args.decoder
        )
    model = model_of(args)
    return lambda path: seen_subject(model, path, args.start, count, args.layer)


def _draw(subject: Subject, base: Path, args: argparse.Namespace, console: Console):
    strips = Strips(subject, args.columns, args.channels, args.top, args.arrows)
    pictures = {
        'flow.png': strips.draw_channels,
        'iterations.png': strips.draw_iterations,
        'comparison.png': strips.draw_comparison,
        'flow_of_flow.png': strips.draw_flow_of_flow,
    }
    if args.html:
        pictures['html'] = lambda path: write_page(explorer_clip(strips), path)
    for suffix, draw in track(
        pictures.items(),
        description='drawing',
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        separator = '.' if suffix == 'html' else '_'
        yield draw(base.with_name(f'{base.name}{separator}{suffix}'))
