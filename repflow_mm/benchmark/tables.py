"""The tables of `docs/benchmarks.md`."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from repflow_mm.benchmark.complexity import FLOWS, build, parameters
from repflow_mm.benchmark.measure import (
    Step,
    Table,
    extra_memory,
    in_turns,
    inference,
    solver_steps,
    training,
)
from repflow_mm.layers import MotionLayer, RepresentationFlow, build_layer
from repflow_mm.layers.registry import layer_names
from repflow_mm.ops import representation_flow

# Table 9 of the paper: milliseconds per clip of 32x224x224 on a Titan X, ResNet-34.
PAPER = {
    ('2D ResNet', 'RGB'): 225,
    ('2D ResNet', 'flow'): 8039,
    ('2D ResNet', 'two-stream'): 8546,
    ('2D ResNet', 'RepFlow'): 524,
    ('2D ResNet', 'FcF'): 576,
    ('R(2+1)D', 'RGB'): 471,
    ('R(2+1)D', 'two-stream'): 8623,
    ('R(2+1)D', 'RepFlow'): 622,
    ('R(2+1)D', 'FcF'): 654,
}


def network_name(family: str, depth: int, flow: str) -> str:
    """Name of a network in tables, such as `2D ResNet-50 + RepFlow`."""
    return f'{family}-{depth}' + ('' if flow == 'RGB' else f' + {flow}')


def solver_table(names: Sequence[str], device: torch.device, repeats: int) -> Table:
    """Each backend on 480 maps of 28x28, 20 iterations: 16 frames, 32 channels."""
    table = Table(
        'The solver: 480 maps of 28x28, 20 iterations, fp32',
        ('backend', 'forward', 'forward + backward', 'speedup', 'extra memory'),
    )
    pair = (255 * torch.rand(2, 15, 32, 28, 28, device=device)).unbind(0)
    calls = {}
    for name in names:
        flow = partial(representation_flow, backend=name)
        calls[name] = inference(flow, *(f.clone() for f in pair))
        calls[f'{name} +'] = training(flow, *(f.clone() for f in pair))
    times = in_turns(calls, repeats, device)
    for name in names:
        forward, both = times[name], times[f'{name} +']
        ratios = [
            times[f'reference{kind}'].median / times[f'{name}{kind}'].median
            for kind in ('', ' +')
        ]
        memory = extra_memory(partial(solver_steps, backend=name), device)
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
    """Nanoseconds per pixel and iteration, by size, maps, iterations and threads."""
    table = Table(
        f'Scaling of backend {backend!r}: nanoseconds per pixel and iteration, fp32',
        ('maps', 'size', 'iterations', 'threads', 'forward', 'forward + backward'),
    )
    threads = torch.get_num_threads()
    cases = [(480, 28, 20, threads)]
    cases += [(maps, 28, 20, threads) for maps in (120, 240, 960)]
    cases += [(480, 28, n_iters, threads) for n_iters in (5, 10, 40, 100)]
    cases += [(480 * 28**2 // s**2, s, 20, threads) for s in (7, 14, 56, 112)]
    if device.type == 'cpu' and threads > 1:
        cases.append((480, 28, 20, 1))
    seconds = {}
    for maps, size, n_iters, count in cases:
        pair = (255 * torch.rand(2, maps, 1, size, size, device=device)).unbind(0)

        flow = partial(representation_flow, n_iters=n_iters, backend=backend)
        torch.set_num_threads(count)
        try:
            times = in_turns(
                dict(f=inference(flow, *pair), b=training(flow, *pair)), repeats, device
            )
        finally:
            torch.set_num_threads(threads)
        seconds[maps, size, n_iters, count] = [time.median for time in times.values()]
        work = maps * size**2 * n_iters
        each = [f'{time.median / work * 1e9:.2f}' for time in times.values()]
        table.rows.append((maps, f'{size}x{size}', n_iters, count, *each))
    fits = {
        'maps': {
            m: t
            for (m, s, n, c), t in seconds.items()
            if (s, n, c) == (28, 20, threads)
        },
        'iterations': {
            n: t
            for (m, s, n, c), t in seconds.items()
            if (m, s, c) == (480, 28, threads)
        },
    }
    table.note = 'Linear fit of the times, R squared: ' + ', '.join(
        f'{what} {_r_squared([*points], [t[k] for t in points.values()]):.4f} {kind}'
        for what, points in fits.items()
        for k, kind in enumerate(('forward', 'with backward'))
    )
    return table


def _r_squared(x: Sequence[float], y: Sequence[float]) -> float:
    return np.corrcoef(x, y)[0, 1] ** 2


def layer_table(names: Sequence[str], device: torch.device, repeats: int) -> Table:
    """The layer at its position in the paper's ResNet-50."""
    table = Table(
        'The layer behind block 3 of a ResNet-50: 512 channels, 32 frames of 28x28',
        ('backend', 'forward', 'forward + backward'),
    )
    x = torch.rand(1, 512, 32, 28, 28, device=device)
    calls = {}
    for name in names:
        layer = RepresentationFlow(512, backend=name).to(device)
        calls[name] = inference(layer, x)
        calls[f'{name} +'] = training(layer, x.clone())
    times = in_turns(calls, repeats, device)
    table.rows += [(name, times[name], times[f'{name} +']) for name in names]
    return table


# Channels behind block 3, by the depth of a ResNet.
BLOCK3 = {18: 128, 50: 512}


def motion_layers() -> dict[str, dict]:
    """The motion layers to compare, with their published widths."""
    forms = {name: dict(type=name) for name in layer_names()}
    return forms | {'narrow FcF': dict(type='FcF', between='narrow')}


def motion_layers_table(device: torch.device, repeats: int) -> Table:
    """All motion layers in one place, added to its features."""
    table = Table(
        'Motion layers behind block 3: 16 frames of 28x28, fp32, added to the features',
        (
            'ResNet', 'layer', 'parameters', 'GFLOPs',
            'forward', 'forward + backward', 'extra memory',
        ),
        note='FLOPs of convolutions and matrix products, two for a multiply-add, as in '
        'docs/models.md. Memory is that of forward and backward.',
    )  # fmt: skip
    for depth, channels in BLOCK3.items():
        calls, layers = {}, {}
        x = torch.rand(1, channels, 16, 28, 28, device=device)
        for name, cfg in motion_layers().items():
            layer = layers[name] = _layer(cfg, channels).to(device)
            calls[name] = inference(layer, x)
            calls[f'{name} +'] = training(layer, x.clone())
        times = in_turns(calls, repeats, device)
        for name, layer in layers.items():
            cfg = motion_layers()[name]
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                layer(x)
            memory = extra_memory(
                partial(layer_steps, cfg=cfg, channels=channels), device
            )
            table.rows.append(
                (
                    depth,
                    name,
                    f'{parameters(layer):,}',
                    f'{counter.get_total_flops() / 1e9:.2f}',
                    times[name],
                    times[f'{name} +'],
                    '-' if memory is None else f'{memory:.0f} MiB',
                )
            )
    return table


def layer_steps(device: str, cfg: dict, channels: int) -> tuple[Step, Step]:
    """Training steps of a motion layer, on 16 frames of 28x28."""
    layer = _layer(cfg, channels).to(device)
    x = torch.rand(1, channels, 16, 28, 28, device=device)
    return training(layer, x[:, :, :2].clone()), training(layer, x)


def _layer(cfg: dict, channels: int) -> MotionLayer:
    shell = dict(fusion='add', temporal='same', zero_init_residual=False)
    return build_layer(cfg | shell, channels)


def network_table(
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
            for flow in FLOWS:
                model = build(family, depth, flow).to(device)
                model.train()  # MMAction2's train() does not return the model
                calls[flow] = inference(model, clip)
                calls[f'{flow} +'] = training(model, clip)
            times = in_turns(calls, repeats, device)
            for flow in FLOWS:
                forward, step = times[flow], times[f'{flow} +']
                paper = PAPER.get((family, flow)) if depth == 34 else None
                table.rows.append(
                    (
                        network_name(family, depth, flow),
                        forward,
                        f'{forward.median / times["RGB"].median:.3f}x',
                        step,
                        f'{step.median / times["RGB +"].median:.3f}x',
                        f'{paper} ms' if paper else '-',
                    )
                )
    return table
