"""Measure size and speed of exported networks, with and without flow.

Each network with flow after block 3 comes with its RGB baseline; weights are random.
Times are measured in alternation, so that load on the machine affects both.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from rich.console import Console

from repflow_mm.benchmark.measure import Table
from repflow_mm.benchmark.tables import network_name
from repflow_mm.commands._networks import add_clip, add_networks
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import command
from repflow_mm.export.table import COLUMNS, export_with_progress, recognizer, row
from repflow_mm.machine import machine


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print the table as Markdown.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Size and speed of exported networks, with and without flow'
    )
    add_networks(parser, depths=(18, 50))
    add_clip(parser, frames=16)
    parser.add_argument(
        '--repeats', type=at_least(1), default=5, metavar='N', help='runs to time'
    )
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
                    name = network_name(family, depth, flow)
                    model = recognizer(family, depth, flow)
                    file = Path(folder) / 'model.onnx'
                    exported = export_with_progress(model, clip, file, console)
                    table.rows.append(row(name, model, exported, clip, args.repeats))
    print(table.markdown(), end='')


if __name__ == '__main__':
    main()
