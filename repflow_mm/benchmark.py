"""What motion costs: times and memory of the solver, the layer and whole networks.

`python tools/benchmark.py` prints the tables of `docs/benchmarks.md`. What is compared
runs in turns within one process, so that a busy machine slows all of it.
"""

import argparse
import gc
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import repflow_mm.plugin  # noqa: F401  registers the backbones
from repflow_mm.errors import one_line_errors
from repflow_mm.layers import RepresentationFlow
from repflow_mm.models.complexity import FAMILIES, build
from repflow_mm.ops import backends, representation_flow

# Table 9 of the paper: milliseconds for a clip of 32x224x224 on a Titan X, ResNet-34.
PAPER = {
    ('2D ResNet', 'RGB'): 225,
    ('2D ResNet', 'RepFlow'): 524,
    ('2D ResNet', 'FcF'): 576,
    ('R(2+1)D', 'RGB'): 471,
    ('R(2+1)D', 'RepFlow'): 622,
    ('R(2+1)D', 'FcF'): 654,
}
PAPER_TWO_STREAM = 8546


@dataclass
class Table:
    """Rows of text under a heading, with what was measured."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple] = field(default_factory=list)

    def markdown(self) -> str:
        """The table as markdown."""
        lines = [self.columns, ('---',) * len(self.columns), *self.rows]
        text = '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
        return f'## {self.title}\n\n{text}\n'


@dataclass
class Time:
    """Seconds of a call over several runs."""

    runs: list[float]

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.runs)

    def __str__(self) -> str:
        low, high = min(self.runs), max(self.runs)
        scale, unit = (1e3, 'ms') if self.median < 1 else (1, 's')
        return (
            f'{self.median * scale:.3g} {unit} ({low * scale:.3g}-{high * scale:.3g})'
        )


def in_turns(
    calls: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, Time]:
    """Time several calls, one after the other, `repeats` times over.

    Args:
        calls (dict[str, Callable]): What to time, by name; each is run once before.
        repeats (int): Rounds.
        device (torch.device): Waited for before the clock is read.

    Returns:
        dict[str, Time]: By name.
    """
    wait = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    runs = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            gc.collect()
            wait()
            start = time.perf_counter()
            call()
            wait()
            if turn > 0:
                runs[name].append(time.perf_counter() - start)
    return {name: Time(seconds) for name, seconds in runs.items()}


def extra_memory(backend: str, device: str) -> float | None:
    """MiB that the solver's forward and backward need at their peak.

    Beyond what is there before, inputs included. To be run in a fresh process: memory
    that a process once had is not given back.

    Args:
        backend (str): Of the solver.
        device (str): The device's name.

    Returns:
        float | None: `None` where the peak cannot be told.
    """
    maps = (255 * torch.rand(2, 15, 32, 28, 28, device=device)).unbind(0)
    flow = partial(representation_flow, backend=backend)
    _train(flow, *(f[:1, :1].clone() for f in maps))()
    step = _train(flow, *maps)
    if device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    peak = Path('/proc/self/clear_refs')
    if not peak.exists():
        return None

    def status(key: str) -> int:
        lines = Path('/proc/self/status').read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key))

    gc.collect()
    peak.write_text('5')  # the peak is that of now
    before = status('VmRSS')
    step()
    return (status('VmHWM') - before) / 2**10


def check_kernels(names: Sequence[str], device: torch.device) -> None:
    """Refuse to time a kernel that is wrong.

    Raises:
        ValueError: If outputs or gradients leave the fp64 reference's by 1e-10 (RMS of
            the error over RMS of the reference; 1e-4 for a kernel of fp32 alone).
    """
    torch.manual_seed(0)
    exact = torch.float64 if device.type == 'cpu' else torch.float32
    limit = 1e-10 if exact == torch.float64 else 1e-4
    for size in ((1, 9), (28, 28), (57, 33)):
        f1 = 255 * torch.rand(2, 3, *size, dtype=torch.float64)
        f2 = f1 + 10 * torch.rand_like(f1)
        cotangents = [torch.randn_like(f1) for _ in range(2)]
        results = {}
        for name in names:
            dtype = torch.float64 if name == 'reference' else exact
            pair = [f.to(device, dtype, copy=True).requires_grad_() for f in (f1, f2)]
            flow = representation_flow(*pair, backend=name)
            g = [c.to(device, dtype) for c in cotangents]
            results[name] = [*flow, *torch.autograd.grad(flow, pair, g)]
        for name, values in results.items():
            for ours, theirs in zip(values, results['reference'], strict=True):
                theirs = theirs.detach().double()
                error = (ours.detach().double() - theirs).norm()
                if not error <= limit * theirs.norm() + 1e-12:
                    raise ValueError(
                        f'backend {name!r} is wrong on maps of {size}: nothing is '
                        'timed. Run python -m pytest tests/ops and report what fails'
                    )


def _train(module: Callable, *inputs: Tensor) -> Callable[[], None]:
    """Forward and backward as a call; gradients are made anew each time."""
    inputs = [tensor.requires_grad_() for tensor in inputs]

    def step() -> None:
        out = module(*inputs)
        out = out if isinstance(out, tuple) else (out,)
        sum(part.sum() for part in out).backward()
        for tensor in inputs:
            tensor.grad = None
        if isinstance(module, nn.Module):
            module.zero_grad()

    return step


def _test(module: Callable, *inputs: Tensor) -> Callable[[], None]:
    def call() -> None:
        with torch.no_grad():
            module(*inputs)

    return call


def solver_table(names: Sequence[str], device: torch.device, repeats: int) -> Table:
    """Each backend on 480 maps of 28x28, 20 iterations: 16 frames, 32 channels."""
    table = Table(
        'The solver: 480 maps of 28x28, 20 iterations, fp32',
        ('backend', 'forward', 'forward + backward', 'times faster', 'extra memory'),
    )
    pair = (255 * torch.rand(2, 15, 32, 28, 28, device=device)).unbind(0)
    calls = {}
    for name in names:
        flow = partial(representation_flow, backend=name)
        calls[name] = _test(flow, *(f.clone() for f in pair))
        calls[f'{name} +'] = _train(flow, *(f.clone() for f in pair))
    times = in_turns(calls, repeats, device)
    for name in names:
        forward, both = times[name], times[f'{name} +']
        ratios = [
            times[f'reference{kind}'].median / times[f'{name}{kind}'].median
            for kind in ('', ' +')
        ]
        with ProcessPoolExecutor(1, get_context('spawn')) as process:
            memory = process.submit(extra_memory, name, str(device)).result()
        table.rows.append(
            (
                name,
                forward,
                both,
                f'{ratios[0]:.1f}, {ratios[1]:.1f}',
                '-' if memory is None else f'{memory:.0f} MiB',
            )
        )
    return table


def scaling_table(backend: str, device: torch.device, repeats: int) -> Table:
    """Nanoseconds a pixel and iteration, over sizes, maps, iterations and threads."""
    table = Table(
        f'How backend {backend!r} grows: nanoseconds per pixel and iteration, fp32',
        ('maps', 'size', 'iterations', 'threads', 'forward', 'forward + backward'),
    )
    threads = torch.get_num_threads()
    cases = [(480, 28, 20, threads)]
    cases += [(maps, 28, 20, threads) for maps in (120, 240, 960)]
    cases += [(480, 28, n_iters, threads) for n_iters in (5, 10, 40, 100)]
    cases += [(480 * 28**2 // s**2, s, 20, threads) for s in (7, 14, 56, 112)]
    if device.type == 'cpu' and threads > 1:
        cases.append((480, 28, 20, 1))
    for maps, size, n_iters, count in cases:
        pair = (255 * torch.rand(2, maps, 1, size, size, device=device)).unbind(0)

        flow = partial(representation_flow, n_iters=n_iters, backend=backend)
        torch.set_num_threads(count)
        try:
            times = in_turns(
                dict(f=_test(flow, *pair), b=_train(flow, *pair)), repeats, device
            )
        finally:
            torch.set_num_threads(threads)
        work = maps * size**2 * n_iters
        each = [f'{time.median / work * 1e9:.2f}' for time in times.values()]
        table.rows.append((maps, f'{size}x{size}', n_iters, count, *each))
    return table


def layer_table(names: Sequence[str], device: torch.device, repeats: int) -> Table:
    """The layer where the paper's ResNet-50 has it."""
    table = Table(
        'The layer behind block 3 of a ResNet-50: 512 channels, 32 frames of 28x28',
        ('backend', 'forward', 'forward + backward'),
    )
    x = torch.rand(1, 512, 32, 28, 28, device=device)
    calls = {}
    for name in names:
        layer = RepresentationFlow(512, backend=name).to(device)
        calls[name] = _test(layer, x)
        calls[f'{name} +'] = _train(layer, x.clone())
    times = in_turns(calls, repeats, device)
    table.rows += [(name, times[name], times[f'{name} +']) for name in names]
    return table


def model_table(
    families: Sequence[str], depths: Sequence[int], device: torch.device, repeats: int
) -> Table:
    """Whole networks on one clip of 32x224x224, with and without flow."""
    table = Table(
        'Networks on one clip of 32x224x224, fp32; flow behind block 3, 20 iterations',
        ('network', 'forward', 'against RGB', 'training step', 'against RGB', 'paper'),
    )
    clip = torch.rand(1, 3, 32, 224, 224, device=device)
    for family in families:
        for depth in depths:
            calls = {}
            for flow in ('RGB', 'RepFlow', 'FcF'):
                model = build(family, depth, flow).to(device)
                model.train()  # MMAction2's returns nothing
                calls[flow] = _test(model, clip)
                calls[f'{flow} +'] = _train(model, clip)
            times = in_turns(calls, repeats, device)
            for flow in ('RGB', 'RepFlow', 'FcF'):
                forward, step = times[flow], times[f'{flow} +']
                paper = PAPER.get((family, flow)) if depth == 34 else None
                table.rows.append(
                    (
                        f'{family}-{depth}' + ('' if flow == 'RGB' else f' + {flow}'),
                        forward,
                        f'{forward.median / times["RGB"].median:.3f}x',
                        step,
                        f'{step.median / times["RGB +"].median:.3f}x',
                        f'{paper} ms' if paper else '-',
                    )
                )
    return table


def two_stream_table(repeats: int) -> Table:
    """What a flow stream pays before its network begins: OpenCV's flow of a clip."""
    table = Table(
        'Optical flow of one clip of 32x224x224, by OpenCV on the CPU',
        ('method', 'time'),
    )
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (300, 300)), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    frames = [
        np.ascontiguousarray(texture[i : i + 224, i : i + 224]) for i in range(32)
    ]
    tvl1 = cv2.optflow.DualTVL1OpticalFlow_create()

    def farneback(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return cv2.calcOpticalFlowFarneback(
            first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0
        )

    methods = {
        'DualTVL1': lambda first, second: tvl1.calc(first, second, None),
        'Farneback': farneback,
    }
    calls = {
        name: lambda method=method: [
            method(*pair) for pair in zip(frames, frames[1:], strict=False)
        ]
        for name, method in methods.items()
    }
    times = in_turns(calls, repeats, torch.device('cpu'))
    table.rows += list(times.items())
    table.rows.append(('two-stream 2D network, the paper', f'{PAPER_TWO_STREAM} ms'))
    return table


def machine(device: torch.device) -> dict[str, str]:
    """Hardware, versions and commit, as a figure needs them beside it."""
    cpu = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.exists():
        names = [s for s in info.read_text().splitlines() if s.startswith('model name')]
        cpu = names[0].partition(': ')[2] if names else cpu
    described = subprocess.run(
        ['git', 'describe', '--always', '--dirty'],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return {
        'device': torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu,
        'threads': str(torch.get_num_threads()),
        'PyTorch': torch.__version__,
        'Python': platform.python_version(),
        'OpenCV': cv2.__version__,
        'commit': described.stdout.strip() or 'unknown',
    }


@one_line_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print markdown; JSON to a file if one is named.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='What motion costs: the solver, the layer, whole networks'
    )
    tables = ('solver', 'scaling', 'layer', 'models', 'two-stream')
    parser.add_argument('--tables', nargs='+', choices=tables, default=tables)
    parser.add_argument('--families', nargs='+', choices=FAMILIES, default=[*FAMILIES])
    parser.add_argument('--depths', nargs='+', type=int, default=[18, 34, 50])
    parser.add_argument('--repeats', type=int, default=11)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--json', type=Path, help='write the figures here too')
    args = parser.parse_args(argv)
    if args.repeats < 1:
        raise ValueError(f'--repeats must be at least 1, got {args.repeats}')
    init_default_scope('mmaction')
    device = torch.device(args.device)
    fused = 'cpu' if device.type == 'cpu' else 'triton'
    names = [
        'reference',
        *(n for n, why in backends().items() if n == fused and not why),
    ]
    check_kernels(names, device)
    few = min(args.repeats, 3)  # networks take seconds
    makers = {
        'solver': lambda: solver_table(names, device, args.repeats),
        'scaling': lambda: scaling_table(names[-1], device, args.repeats),
        'layer': lambda: layer_table(names, device, args.repeats),
        'models': lambda: model_table(args.families, args.depths, device, few),
        'two-stream': lambda: two_stream_table(few),
    }
    about = machine(device)
    print(', '.join(f'{key} {value}' for key, value in about.items()), end='\n\n')
    print('Median of the runs, and their range.\n')
    made = []
    for name in args.tables:
        made.append(makers[name]())
        print(made[-1].markdown(), flush=True)
    if args.json:
        rows = [
            asdict(table) | dict(rows=[[str(c) for c in row] for row in table.rows])
            for table in made
        ]
        args.json.write_text(json.dumps(dict(machine=about, tables=rows), indent=1))
