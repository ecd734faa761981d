"""Benchmark the solver, the layer and complete networks.

`python tools/benchmark.py` prints the tables of `docs/benchmarks.md`. Alternatives run
in alternation within one process, so that load on the machine affects all of them.
"""

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from repflow_mm.allocator import keep_memory
from repflow_mm.benchmark.check_kernels import check_kernels
from repflow_mm.benchmark.formats import formats_table
from repflow_mm.benchmark.iteration import iteration_table
from repflow_mm.benchmark.measure import Table
from repflow_mm.benchmark.tables import (
    layer_table,
    motion_layers_table,
    network_table,
    scaling_table,
    solver_table,
)
from repflow_mm.benchmark.two_streams import optical_flow_table, run_times_table
from repflow_mm.commands._networks import add_networks
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import command
from repflow_mm.files import check_file, write_text
from repflow_mm.inference.load import choose_device
from repflow_mm.machine import machine
from repflow_mm.ops.tvl1.custom_op import KERNELS

# Families that Table 9 has run times of.
RUN_TIMES = '2D ResNet', 'R(2+1)D'

# By name, from the options, the backends and the device.
TABLES: dict[str, Callable[[Namespace, list[str], torch.device], Table]] = {
    'solver': lambda args, names, device: solver_table(names, device, args.repeats),
    'scaling': lambda args, names, device: scaling_table(
        names[-1], device, args.repeats
    ),
    'layer': lambda args, names, device: layer_table(names, device, args.repeats),
    'motion-layers': lambda args, _, device: motion_layers_table(device, args.repeats),
    'models': lambda args, _, device: network_table(
        args.families, args.depths, device, _few(args)
    ),
    'formats': lambda args, _, device: formats_table(device, _few(args)),
    'iteration': lambda args, *_: iteration_table(_few(args)),
    'optical-flow': lambda args, *_: optical_flow_table(_few(args)),
    'run-times': lambda args, _, device: run_times_table(RUN_TIMES, device, _few(args)),
}


def _few(args: Namespace) -> int:
    """Repeats of networks, which take seconds."""
    return min(args.repeats, 3)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print Markdown tables, and write JSON if a file is given.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(description='Benchmark the solver, the layer and complete networks')
    parser.add_argument(
        '--tables',
        nargs='+',
        choices=TABLES,
        default=list(TABLES),
        metavar='TABLE',
        help='tables to measure',
    )
    add_networks(parser.add_argument_group('table `models`'), depths=(18, 34, 50))
    parser.add_argument(
        '--repeats',
        type=at_least(1),
        default=11,
        metavar='N',
        help='runs to take the median of; at most 3 for networks',
    )
    parser.add_argument(
        '--device',
        help='for example cpu or cuda:1 (default: a GPU if there is one)',
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='also write the results as JSON'
    )
    args = parser.parse_args(argv)
    keep_memory()
    if args.json is not None:
        check_file(args.json)
    init_default_scope('mmaction')
    device = choose_device(args.device)
    names = [
        'reference',
        *(
            name
            for name, kernel in KERNELS.items()
            if kernel.DEVICE == device.type and not kernel.reason()
        ),
    ]
    check_kernels(names, device)
    about = machine(device)
    print(', '.join(f'{key} {value}' for key, value in about.items()), end='\n\n')
    print('Median and range of the runs.\n')
    made = []
    for name in args.tables:
        made.append(TABLES[name](args, names, device))
        print(made[-1].markdown(), flush=True)
    if args.json:
        rows = [
            asdict(table) | dict(rows=[[str(c) for c in row] for row in table.rows])
            for table in made
        ]
        text = json.dumps(dict(machine=about, tables=rows), indent=1)
        write_text(args.json, text + '\n')
