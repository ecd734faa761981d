"""Draw the flow of videos, as pictures and as an interactive page."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from repflow_mm.allocator import keep_memory
from repflow_mm.commands._arguments import (
    add_drawn_frames,
    add_model,
    add_videos,
    each_video,
    model_of,
    videos_of,
)
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.config.find import TINY
from repflow_mm.errors import InputError, command
from repflow_mm.inference.clips import read_frames
from repflow_mm.inference.strips import TAIL, Strips
from repflow_mm.video.decoders import DECODERS
from repflow_mm.visualization.explorer import make_page
from repflow_mm.visualization.flow_clip import FlowClip
from repflow_mm.visualization.sheet import save_png
from repflow_mm.visualization.tvl1 import clip_tvl1

_PAGE_FRAMES = 64


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the flow of videos.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description="Draw a network's flow of videos with the standard colour wheel: "
        'by channel, over iterations, compared with TV-L1, and the flow of flow. '
        'Without --config and --checkpoint, it is the flow of the frames, computed by '
        f'the solver with its initial parameters. --config {TINY} needs no --checkpoint'
    )
    add_videos(parser)
    add_model(parser, required=False)
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('flow'),
        metavar='FOLDER',
        help='output folder of NAME_flow.png, NAME_iterations.png, NAME_comparison.png '
        'and NAME_flow_of_flow.png (default: %(default)s)',
    )
    parser.add_argument(
        '--html', action='store_true', help='also write an interactive NAME.html'
    )
    add_drawn_frames(parser)
    parser.add_argument(
        '--layer',
        help='motion layer, with a network (default: the first that computes flow)',
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        '--channels',
        type=at_least(0),
        nargs='+',
        metavar='C',
        help='channels to draw, with a network',
    )
    chosen.add_argument(
        '--top',
        type=at_least(1),
        metavar='N',
        help='draw the N most active channels, with a network (default: 4)',
    )
    parser.add_argument('--arrows', action='store_true', help='also draw arrows')
    parser.add_argument(
        '--interval',
        type=at_least(1),
        metavar='FRAMES',
        help='step between frames, without a network (default: 1)',
    )
    parser.add_argument(
        '--size',
        type=at_least(1),
        metavar='PIXELS',
        help='shorter side of the frames, without a network (default: 112)',
    )
    parser.add_argument(
        '--decoder', choices=DECODERS, help='without a network (default: auto)'
    )
    args = parser.parse_args(argv)
    keep_memory()
    _settle(args)
    videos = videos_of(args)
    read = _reader(args)
    console = Console(highlight=False, soft_wrap=True)

    def show(path: Path, name: Path) -> None:
        for written in _draw(read(str(path)), args.out / name, args, console):
            console.print(f'{written}', markup=False)

    each_video(videos, show)


def _settle(args: argparse.Namespace) -> None:
    """Reject options that do not apply, and set the defaults of the others."""
    with_network = dict(layer=None, channels=None, top=4, device=None, cfg_options=None)
    without = dict(interval=1, size=112, decoder='auto')
    refused = with_network if args.config is None else without
    for name in refused:
        if getattr(args, name) is not None:
            option = '--' + name.replace('_', '-')
            raise InputError(
                f'{option} needs a network: --config and --checkpoint'
                if refused is with_network
                else f"{option} is for the flow of frames: with --config, the config's "
                'pipeline defines how videos are read'
            )
    for name, value in (with_network | without).items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def _reader(args: argparse.Namespace) -> Callable[[str], FlowClip]:
    count = _PAGE_FRAMES if args.html else args.columns + TAIL
    if args.config is None and args.checkpoint is None:
        return lambda path: read_frames(
            path, args.start, count, args.interval, args.size, args.decoder
        )
    recognizer = model_of(args)
    return lambda path: recognizer.clip(path, args.start, count)


def _draw(
    clip: FlowClip, base: Path, args: argparse.Namespace, console: Console
) -> Iterator[Path]:
    strips = Strips(
        clip, args.columns, args.layer, args.channels, args.top, args.arrows
    )
    pictures = {
        f'{base.name}_flow.png': strips.draw_channels,
        f'{base.name}_iterations.png': strips.draw_iterations,
        f'{base.name}_comparison.png': strips.draw_comparison,
        f'{base.name}_flow_of_flow.png': strips.draw_flow_of_flow,
    }
    for name, draw in track(
        pictures.items(),
        description='drawing',
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        yield save_png(draw(), base.with_name(name))
    if args.html:
        page = make_page(clip, strips.layer, strips.channels, clip_tvl1(clip.frames))
        yield page.save(base.with_name(f'{base.name}.html'))
