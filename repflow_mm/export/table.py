"""Table of exported networks: parameters, size, error and speed."""

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from mmaction.registry import MODELS
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from torch import nn

from repflow_mm.benchmark.complexity import FAMILIES, FLOWS, parameters
from repflow_mm.benchmark.measure import in_turns, inference, within
from repflow_mm.engine.cpu_amp import bf16_slowdown
from repflow_mm.export.deployable import Deployable
from repflow_mm.export.onnx import Exported, export_onnx, session
from repflow_mm.layers.memory_format import to_channels_last

COLUMNS = (
    'model',
    'parameters',
    'file',
    'nodes',
    'relative error',
    'onnxruntime',
    'PyTorch',
    'ratio',
    'PyTorch, bf16, channels-last',
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


def recognizer(family: str, depth: int, flow: str) -> nn.Module:
    """A recognizer of Kinetics with random weights, always the same ones.

    Args:
        family (str): Key of :data:`repflow_mm.benchmark.complexity.FAMILIES`.
        depth (int): Depth of the ResNet.
        flow (str): Key of :data:`repflow_mm.benchmark.complexity.FLOWS`.

    Returns:
        nn.Module: The recognizer, with flow after block 3.
    """
    torch.manual_seed(0)
    backbone = dict(FAMILIES[family], depth=depth, flow=FLOWS[flow], pretrained=None)
    channels = 512 if depth < 50 else 2048
    return MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=backbone,
            cls_head=dict(type='I3DHead', num_classes=400, in_channels=channels),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                format_shape='NCTHW',
            ),
        )
    )


def row(
    name: str, model: nn.Module, exported: Exported, clip: Sequence[int], repeats: int
) -> tuple:
    """Build one row of the table (:data:`COLUMNS`), measuring the times in turns."""
    frames = torch.randint(256, (1, 3, *clip), dtype=torch.uint8)
    calls = dict(
        onnxruntime=partial(session(exported.path), frames),
        PyTorch=inference(Deployable(model), frames),
    )
    if bf16_slowdown() < 1:
        fast = inference(Deployable(to_channels_last(copy.deepcopy(model))), frames)
        calls['bf16'] = within(partial(torch.autocast, 'cpu', torch.bfloat16), fast)
    times = in_turns(calls, repeats, torch.device('cpu'))
    ort, pytorch = times['onnxruntime'], times['PyTorch']
    return (
        name,
        f'{parameters(model) / 1e6:.2f} M',
        f'{exported.mebibytes:.1f} MiB',
        exported.nodes,
        f'{exported.error:.1e}',
        ort,
        pytorch,
        f'{ort.median / pytorch.median:.2f}',
        times.get('bf16', '-'),
    )
