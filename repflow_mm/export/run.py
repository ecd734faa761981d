"""`tools/export_onnx.py`: an ONNX file, its error, size and speed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from torch import nn

import repflow_mm.plugin  # noqa: F401  registers the models
from repflow_mm.benchmark.measure import Table
from repflow_mm.errors import one_line_errors
from repflow_mm.export.deployable import clip_shape
from repflow_mm.export.onnx import Exported, export_onnx, latency
from repflow_mm.inference.recognizer import load_recognizer
from repflow_mm.models.complexity import parameters

COLUMNS = (
    'model',
    'parameters',
    'file',
    'nodes',
    'relative error',
    'onnxruntime',
    'PyTorch',
    'ratio',
)


def export_with_progress(
    model: nn.Module, clip: Sequence[int], path: Path, console: Console
) -> Exported:
    """:func:`repflow_mm.export.onnx.export_onnx` behind a spinner."""
    columns = SpinnerColumn(), TextColumn('{task.description}'), TimeElapsedColumn()
    silent = not console.is_terminal
    progress = Progress(*columns, console=console, transient=True, disable=silent)
    with progress:
        task = progress.add_task('starting', total=None)
        return export_onnx(
            model, clip, path, lambda step: progress.update(task, description=step)
        )


def row(
    name: str, model: nn.Module, exported: Exported, clip: Sequence[int], repeats: int
) -> tuple:
    """One line of the table, under :data:`COLUMNS`; measures the times."""
    ort, torch = latency(model, exported.path, clip, repeats)
    return (
        name,
        f'{parameters(model) / 1e6:.2f} M',
        f'{exported.mebibytes:.1f} MiB',
        exported.nodes,
        f'{exported.error:.1e}',
        ort,
        torch,
        f'{ort.median / torch.median:.2f}',
    )


@one_line_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Export a trained recognizer.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='Export a recognizer to ONNX, checked against PyTorch'
    )
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', type=Path, help='ONNX file to write')
    parser.add_argument(
        '--frames', type=int, help="of a clip; default: the test pipeline's"
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs='+',
        help="of a frame, one side or height and width; default: the test pipeline's",
    )
    parser.add_argument('--repeats', type=int, default=5, help='runs to take times of')
    args = parser.parse_args(argv)
    if args.size and len(args.size) > 2:
        raise ValueError(f'--size takes a side, or height and width, got {args.size}')
    if min(args.frames or 1, args.repeats, *(args.size or [1])) < 1:
        raise ValueError('--frames, --size and --repeats must be at least 1')
    model = load_recognizer(args.config, args.checkpoint, 'cpu')
    size = args.size and (args.size[0], args.size[-1])
    clip = (args.frames, *size) if args.frames and size else clip_shape(model.cfg)
    clip = (args.frames or clip[0], *(size or clip[1:]))

    console = Console(stderr=True)
    exported = export_with_progress(model, clip, args.out, console)
    frames, height, width = clip
    print(
        f'{exported.path}: opset {exported.opset}\n'
        f'frames: uint8 (batch, 3, {frames}, {height}, {width}), RGB; '
        f'logits: float32 (batch, {model.cls_head.num_classes})\n'
        f'max relative error against PyTorch: {exported.error:.1e}\n'
    )
    title = f'One clip of {frames}x{height}x{width} on the CPU'
    table = Table(title, COLUMNS)
    table.rows.append(row(Path(args.config).stem, model, exported, clip, args.repeats))
    print(table.markdown(), end='')
