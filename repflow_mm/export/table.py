"""Table of exported networks: parameters, size, error and speed."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from torch import nn

from repflow_mm.export.onnx import Exported, export_onnx, latency
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
    """Run :func:`repflow_mm.export.onnx.export_onnx` with a progress spinner."""
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
    """Build one row of the table (:data:`COLUMNS`), measuring the times."""
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
