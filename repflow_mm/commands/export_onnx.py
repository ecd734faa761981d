"""Export a recognizer to ONNX, verified against PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from repflow_mm.allocator import keep_memory
from repflow_mm.benchmark.measure import Table
from repflow_mm.class_count import class_count
from repflow_mm.commands._config import add_checkpoint, add_config
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import InputError, command
from repflow_mm.export.deployable import clip_shape
from repflow_mm.export.table import COLUMNS, export_with_progress, row
from repflow_mm.files import check_file
from repflow_mm.inference.load import load


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Export a trained recognizer.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(description='Export a recognizer to ONNX, verified against PyTorch')
    add_config(parser)
    add_checkpoint(parser)
    parser.add_argument('out', type=Path, metavar='OUT', help='ONNX file to write')
    parser.add_argument(
        '--frames',
        type=at_least(1),
        metavar='N',
        help="frames per clip (default: the test pipeline's)",
    )
    parser.add_argument(
        '--size',
        type=at_least(1),
        nargs='+',
        metavar='PIXELS',
        help="frame size, one side or height and width (default: the test pipeline's)",
    )
    parser.add_argument(
        '--repeats', type=at_least(1), default=5, metavar='N', help='runs to time'
    )
    args = parser.parse_args(argv)
    keep_memory()
    if args.size and len(args.size) > 2:
        raise InputError(f'--size takes a side, or height and width, got {args.size}')
    check_file(args.out, args.checkpoint)
    model = load(args.config, args.checkpoint, 'cpu').model
    size = args.size and (args.size[0], args.size[-1])
    clip = (args.frames, *size) if args.frames and size else clip_shape(model.cfg)
    clip = (args.frames or clip[0], *(size or clip[1:]))

    console = Console(stderr=True)
    exported = export_with_progress(model, clip, args.out, console)
    frames, height, width = clip
    print(
        f'{exported.path}: opset {exported.opset}\n'
        f'frames: uint8 (batch, 3, {frames}, {height}, {width}), RGB; '
        f'logits: float32 (batch, {class_count(model)})\n'
        f'max relative error against PyTorch: {exported.error:.1e}\n'
    )
    title = f'One clip of {frames}x{height}x{width} on the CPU'
    table = Table(title, COLUMNS)
    table.rows.append(row(Path(args.config).stem, model, exported, clip, args.repeats))
    print(table.markdown(), end='')
