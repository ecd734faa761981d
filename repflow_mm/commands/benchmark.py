"""Benchmark the solver, the layer and complete networks.

`python tools/benchmark.py` prints the tables of `docs/benchmarks.md`. Alternatives run
in alternation within one process, so that load on the machine affects all of them.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from repflow_mm.allocator import keep_memory
from repflow_mm.benchmark import tables
from repflow_mm.benchmark.formats import formats_table
from repflow_mm.benchmark.iteration import iteration_table
from repflow_mm.benchmark.two_streams import run_times_table, two_stream_table
from repflow_mm.commands._networks import add_networks
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.errors import command
from repflow_mm.files import check_file, write_text
from repflow_mm.inference.load import choose_device
from repflow_mm.machine import machine
from repflow_mm.ops import representation_flow
from repflow_mm.ops.tvl1.custom_op import KERNELS

# Families that Table 9 has run times of.
RUN_TIMES = '2D ResNet', 'R(2+1)D'


def check_kernels(names: Sequence[str], device: torch.device) -> None:
    """Verify all kernels before timing them.

    Raises:
        RuntimeError: If outputs or gradients differ from the fp64 reference's by more
            than 1e-10 (RMS of the error over RMS of the reference; 1e-4 for a kernel
            that supports only fp32).
    """
    torch.manual_seed(0)
    for size in ((1, 9), (28, 28), (57, 33)):
        f1 = 255 * torch.rand(2, 3, *size, dtype=torch.float64)
        f2 = f1 + 10 * torch.rand_like(f1)
        cotangents = [torch.randn_like(f1) for _ in range(2)]
        results = {}
        for name in names:
            pair = [f.to(device, copy=True) for f in (f1, f2)]
            if name in KERNELS and KERNELS[name].reason(pair[0]):
                pair = [f.float() for f in pair]
            pair = [f.requires_grad_() for f in pair]
            flow = representation_flow(*pair, backend=name)
            g = [c.to(flow[0]) for c in cotangents]
            results[name] = [*flow, *torch.autograd.grad(flow, pair, g)]
        for name, values in results.items():
            limit = 1e-10 if values[0].dtype == torch.float64 else 1e-4
            for ours, theirs in zip(values, results['reference'], strict=True):
                theirs = theirs.detach()
                error = (ours.detach().double() - theirs).norm()
                if not error <= limit * theirs.norm() + 1e-12:
                    raise RuntimeError(
                        f'backend {name!r} is wrong on maps of {size}: nothing is '
                        'timed. Run python -m pytest tests/ops and report what fails'
                    )


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print Markdown tables, and write JSON if a file is given.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(description='Benchmark the solver, the layer and complete networks')
    names_of_tables = (
        'solver', 'scaling', 'layer', 'motion-layers', 'models', 'formats',
        'iteration', 'two-stream', 'run-times',
    )  # fmt: skip
    parser.add_argument(
        '--tables',
        nargs='+',
        choices=names_of_tables,
        default=names_of_tables,
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
    few = min(args.repeats, 3)  # networks take seconds
    makers = {
        'solver': lambda: tables.solver_table(names, device, args.repeats),
        'scaling': lambda: tables.scaling_table(names[-1], device, args.repeats),
        'layer': lambda: tables.layer_table(names, device, args.repeats),
        'motion-layers': lambda: tables.motion_layers_table(device, args.repeats),
        'models': lambda: tables.model_table(args.families, args.depths, device, few),
        'formats': lambda: formats_table(device, few),
        'iteration': lambda: iteration_table(few),
        'two-stream': lambda: two_stream_table(few),
        'run-times': lambda: run_times_table(RUN_TIMES, device, few),
    }
    about = machine(device)
    print(', '.join(f'{key} {value}' for key, value in about.items()), end='\n\n')
    print('Median and range of the runs.\n')
    made = []
    for name in args.tables:
        made.append(makers[name]())
        print(made[-1].markdown(), flush=True)
    if args.json:
        rows = [
            asdict(table) | dict(rows=[[str(c) for c in row] for row in table.rows])
            for table in made
        ]
        text = json.dumps(dict(machine=about, tables=rows), indent=1)
        write_text(args.json, text + '\n')
