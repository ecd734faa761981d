"""What kept memory, channels-last weights and bf16 gain."""

from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context

import torch
from mmengine.registry import init_default_scope

from repflow_mm.allocator import memory_is_kept
from repflow_mm.benchmark.complexity import build
from repflow_mm.benchmark.measure import (
    Step,
    Table,
    in_turns,
    inference,
    training,
    within,
)
from repflow_mm.benchmark.tables import network_name
from repflow_mm.engine.cpu_amp import bf16_slowdown
from repflow_mm.layers.memory_format import to_channels_last

EMULATED = 4  # bf16 is not timed if it takes this many times as long as fp32
SIZES = {18: (8, 3, 8, 112, 112), 50: (1, 3, 32, 224, 224)}  # by the depth of a ResNet


def formats_table(device: torch.device, repeats: int) -> Table:
    """Kept memory, channels-last weights and bf16, alone and together."""
    table = Table(
        'Kept memory, channels-last weights and bf16; flow behind block 3',
        (
            'network', 'clips', 'format', 'forward', 'speedup', 'over RGB',
            'training step', 'speedup', 'over RGB',
        ),
    )  # fmt: skip
    formats = [('fp32', False, False), ('fp32, channels-last', True, False)]
    if device.type == 'cuda' or (slowdown := bf16_slowdown()) < EMULATED:
        formats += [('bf16', False, True), ('bf16, channels-last', True, True)]
    else:
        table.note = (
            'bf16 is not timed: a convolution takes '
            f'{slowdown:.0f} times as long as in fp32.'
        )
    rows = [name for name, *_ in formats]
    default = device.type == 'cpu' and memory_is_kept()  # there is another one
    if default:
        rows.insert(0, 'fp32, memory returned')
    for depth, size in SIZES.items():
        calls = {}
        with ProcessPoolExecutor(1, get_context('spawn')) as other:
            for flow in ('RGB', 'RepFlow'):
                for name, *how in formats:
                    steps = _format_steps(depth, flow, device, *how)
                    calls[flow, name, 'forward'], calls[flow, name, 'step'] = steps
                for kind in ('forward', 'step') if default else ():
                    there = partial(_in_default_memory, other, depth, flow, kind)
                    calls[flow, rows[0], kind] = there
            times = in_turns(calls, repeats, device)
        seconds = {key: time.median for key, time in times.items()}
        shape = f'{size[0]} of {size[2]}x{size[3]}x{size[4]}'
        for flow in ('RGB', 'RepFlow'):
            for name in rows:
                row = [network_name('2D ResNet', depth, flow), shape, name]
                for kind in ('forward', 'step'):
                    own = seconds[flow, name, kind]
                    row += [
                        times[flow, name, kind],
                        f'{seconds[flow, rows[0], kind] / own:.2f}',
                        f'{own / seconds["RGB", name, kind]:.3f}',
                    ]
                table.rows.append(tuple(row))
    return table


def _format_steps(
    depth: int, flow: str, device: torch.device, channels_last: bool, half: bool
) -> tuple[Step, Step]:
    """Forward pass and training step of a ResNet."""
    model = build('2D ResNet', depth, flow).to(device)
    model.train()
    if channels_last:
        to_channels_last(model)
    clips = torch.rand(SIZES[depth], device=device)
    cast = partial(torch.autocast, device.type, torch.bfloat16, half)
    return within(cast, inference(model, clips)), within(cast, training(model, clips))


def _in_default_memory(
    other: ProcessPoolExecutor, depth: int, flow: str, kind: str
) -> None:
    """Make a step in fp32 in another process, which returns freed memory."""
    other.submit(_step_there, depth, flow, kind).result()


def _step_there(depth: int, flow: str, kind: str) -> None:
    forward, step = _steps_there(depth, flow)
    (forward if kind == 'forward' else step)()


@cache
def _steps_there(depth: int, flow: str) -> tuple[Step, Step]:
    init_default_scope('mmaction')
    return _format_steps(depth, flow, torch.device('cpu'), False, False)
