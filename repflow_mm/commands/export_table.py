"""Measure size and speed of exported networks, with and without flow.

Each network has flow after block 3, beside its RGB baseline; weights are random. Times
are measured in alternation, so that load on the machine affects both.
"""

import repflow_mm.plugin  # noqa: F401  patches the stack before anything else

# isort: split
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from rich.console import Console

from repflow_mm.benchmark.measure import Table, machine
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import command
from repflow_mm.export.table import COLUMNS, export_with_progress, row
from repflow_mm.models.complexity import DEPTHS, FAMILIES, FLOWS


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print the table as Markdown.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Size and speed of exported networks, with and without flow'
    )
    add = parser.add_argument
    add(
        '--families',
        nargs='+',
        choices=FAMILIES,
        default=[*FAMILIES],
        metavar='FAMILY',
        help='networks',
    )
    add(
        '--depths',
        nargs='+',
        type=int,
        choices=DEPTHS,
        default=[18, 50],
        metavar='DEPTH',
        help='their depths',
    )
    add('--frames', type=at_least(2), default=16, metavar='N', help='frames per clip')
    add(
        '--size',
        type=at_least(1),
        default=224,
        metavar='PIXELS',
        help='height and width of a frame',
    )
    add('--repeats', type=at_least(1), default=5, metavar='N', help='runs to time')
    args = parser.parse_args(argv)
    init_default_scope('mmaction')
    clip = args.frames, args.size, args.size
    console = Console(stderr=True)
    table = Table(f'One clip of {"x".join(map(str, clip))} on the CPU', COLUMNS)
    about = machine(torch.device('cpu'))
    print(', '.join(f'{key} {value}' for key, value in about.items()), end='\n\n')
    with tempfile.TemporaryDirectory() as folder:
        for family in args.families:
            for depth in args.depths:
                for flow in ('RGB', 'RepFlow'):
                    name = f'{family}-{depth}' + (' + RepFlow' * (flow != 'RGB'))
                    model = _recognizer(family, depth, flow)
                    file = Path(folder) / 'model.onnx'
                    exported = export_with_progress(model, clip, file, console)
                    table.rows.append(row(name, model, exported, clip, args.repeats))
    print(table.markdown(), end='')


def _recognizer(family: str, depth: int, flow: str) -> torch.nn.Module:
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
