"""Measure time and memory."""

import gc
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from repflow_mm.ops import representation_flow

Key = TypeVar('Key')


@dataclass
class Table:
    """A titled table of measurements.

    Args:
        title (str): The heading.
        columns (tuple[str, ...]): The head.
        rows (list[tuple]): Cells, converted by `str`.
        note (str): Text below the table. Defaults to none.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple] = field(default_factory=list)
    note: str = ''

    def markdown(self) -> str:
        """The table as markdown."""
        lines = [self.columns, ('---',) * len(self.columns), *self.rows]
        text = '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
        note = f'\n{self.note}\n' if self.note else ''
        return f'## {self.title}\n\n{text}\n{note}'


@dataclass
class Time:
    """The time of a call over several runs; printed as median and range.

    Args:
        runs (list[float]): Wall time of each run, in seconds.
    """

    runs: list[float]

    @property
    def median(self) -> float:
        """Median over the runs."""
        return statistics.median(self.runs)

    def __str__(self) -> str:
        low, high = min(self.runs), max(self.runs)
        scale, unit = (1e3, 'ms') if self.median < 1 else (1, 's')
        return (
            f'{self.median * scale:.3g} {unit} ({low * scale:.3g}-{high * scale:.3g})'
        )


def in_turns(
    calls: dict[Key, Callable[[], object]], repeats: int, device: torch.device
) -> dict[Key, Time]:
    """Time several calls in alternation, `repeats` times each.

    Args:
        calls (dict[Key, Callable]): Calls by name; each is warmed up once.
        repeats (int): Number of timed rounds.
        device (torch.device): Device to synchronize before reading the clock.

    Returns:
        dict[Key, Time]: Times by name.
    """
    wait = _synchronize(device)
    runs: dict[Key, list[float]] = {name: [] for name in calls}
    rounds = track(
        range(repeats + 1),
        f'timing {len(calls)} calls in turns',
        console=Console(stderr=True),
        transient=True,
    )
    for turn in rounds:
        for name, call in calls.items():
            gc.collect()
            wait()
            start = time.perf_counter()
            call()
            wait()
            if turn > 0:
                runs[name].append(time.perf_counter() - start)
    return {name: Time(seconds) for name, seconds in runs.items()}


def _synchronize(device: torch.device) -> Callable[[], None]:
    """A call that waits until the device has done its work."""
    if device.type == 'cuda':
        return partial(torch.cuda.synchronize, device)
    # Each kind of accelerator has a module, such as torch.mps; torch.cpu has nothing
    # to wait for.
    return getattr(torch, device.type).synchronize


def training(module: Callable, *inputs: Tensor) -> Callable[[], None]:
    """A call that runs forward and backward; gradients are reset each time."""
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


def inference(module: Callable, *inputs: Tensor) -> Callable[[], None]:
    """A call that runs the forward pass without recording gradients."""

    def call() -> None:
        with torch.no_grad():
            module(*inputs)

    return call


Step = Callable[[], None]


def within(context: Callable[[], AbstractContextManager], call: Step) -> Step:
    """The same call in a context that is made for each, such as autocast."""

    def wrapped() -> None:
        with context():
            call()

    return wrapped


def extra_memory(
    make: Callable[[str], tuple[Step, Step]], device: torch.device
) -> float | None:
    """Peak memory of a call, in MiB.

    Memory allocated before, including the inputs, is not counted. Runs in a new
    process, since processes do not return freed memory.

    Args:
        make (Callable): Given a device, returns a small call to warm up with, and the
            call to measure. Can be pickled.
        device (torch.device): Device to run on.

    Returns:
        float | None: The peak, or None if it cannot be measured.
    """
    with ProcessPoolExecutor(1, get_context('spawn')) as process:
        return process.submit(_extra_memory, make, str(device)).result()


def solver_steps(device: str, backend: str) -> tuple[Step, Step]:
    """Training steps of the solver, on 480 maps of 28x28 with 20 iterations."""
    maps = (255 * torch.rand(2, 15, 32, 28, 28, device=device)).unbind(0)
    flow = partial(representation_flow, backend=backend)
    warm_up = training(flow, *(f[:1, :1].clone() for f in maps))
    return warm_up, training(flow, *maps)


def _extra_memory(
    make: Callable[[str], tuple[Step, Step]], device: str
) -> float | None:
    warm_up, step = make(device)
    warm_up()
    if device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    peak = Path('/proc/self/clear_refs')
    if not peak.exists():
        return None

    def status(key: str) -> int:
        lines = Path('/proc/self/status').read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key))

    gc.collect()
    peak.write_text('5')  # resets the peak to the current usage
    before = status('VmRSS')
    step()
    return (status('VmHWM') - before) / 2**10
