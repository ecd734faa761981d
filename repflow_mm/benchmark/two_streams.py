"""Tables of what two streams cost: computing flow, and the run times of Table 9."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from torch import nn

from repflow_mm.benchmark.complexity import build
from repflow_mm.benchmark.measure import Table, Time, in_turns, inference
from repflow_mm.benchmark.tables import PAPER
from repflow_mm.optical_flow.cache import FlowCache
from repflow_mm.optical_flow.methods import find_method
from repflow_mm.optical_flow.quantize import quantize

CLIP = 32, 224  # frames, and their size
STACK = 10, 2  # flows in a stack of a 2D network, and from a stack to the next


def optical_flow_table(repeats: int) -> Table:
    """Cost of a flow stream's input: OpenCV's optical flow of a clip."""
    table = Table(
        'Optical flow of one clip of 32x224x224, by OpenCV on the CPU',
        ('method', 'time'),
    )
    frames = moving_texture(*CLIP)
    names = {'DualTVL1': 'tvl1', 'Farneback': 'farneback'}
    methods = {shown: find_method(name)[1] for shown, name in names.items()}
    calls = {
        name: lambda method=method: [method(*pair) for pair in pairwise(frames)]
        for name, method in methods.items()
    }
    times = in_turns(calls, repeats, torch.device('cpu'))
    table.rows += list(times.items())
    table.rows.append(
        ('two-stream 2D network, the paper', f'{PAPER["2D ResNet", "two-stream"]} ms')
    )
    return table


def run_times_table(
    families: Sequence[str], device: torch.device, repeats: int
) -> Table:
    """The run times of Table 9: RGB, flow, two streams and flow layers, in one run."""
    frames, size = CLIP
    table = Table(
        f'Run times of Table 9: one clip of {frames}x{size}x{size}, ResNet-34, fp32',
        (
            'network', 'time', 'RGB = 1', 'RepFlow = 1',
            'paper', 'paper, RGB = 1', 'paper, RepFlow = 1',
        ),
        note='Forward in evaluation mode, without decoding and the head. TV-L1 is '
        "OpenCV's, on the CPU; cached flow is read from a memory-mapped file, which "
        'the system keeps in memory. Rows with flow are sums of their parts, round by '
        "round. The FcF of the authors' released networks is the narrow one.",
    )  # fmt: skip
    nets = 'RGB', 'RepFlow', 'FcF', 'narrow FcF'
    calls: dict = {}
    for family in families:
        clip = torch.rand(1, 3, frames, size, size, device=device)
        for name in nets:
            calls[family, name] = inference(_network(family, name, 3, device), clip)
        length, stride = STACK if family == '2D ResNet' else (1, 1)
        count = (frames - length) // stride + 1
        flow = torch.rand(1, 2 * length, count, size, size, device=device)
        network = _network(family, 'RGB', 2 * length, device)
        calls[family, 'flow'] = inference(network, flow)
    video = moving_texture(frames + 1, size)
    with TemporaryDirectory() as folder:
        cache = FlowCache(folder)
        path = cache.path('https://clip')  # of a name alone
        cache.store(path, frames, _tvl1(video))
        shape = frames, size, size, 2
        calls['', 'TV-L1'] = lambda: list(_tvl1(video))
        calls['', 'cached'] = lambda: np.array(cache.load(path, shape))
        named = {f'{family} {name}': call for (family, name), call in calls.items()}
        measured = in_turns(named, repeats, device)
    times = dict(zip(calls, measured.values(), strict=True))
    for family in families:
        rows = {'RGB': [(family, 'RGB')]}
        for how in ('TV-L1', 'cached'):
            rows[f'flow, {how}'] = [('', how), (family, 'flow')]
            rows[f'two-stream, {how}'] = [*rows[f'flow, {how}'], (family, 'RGB')]
        rows |= {name: [(family, name)] for name in nets[1:]}
        total = {
            name: Time(np.sum([times[part].runs for part in parts], 0).tolist())
            for name, parts in rows.items()
        }
        for name, time in total.items():
            kind = name.removesuffix(', TV-L1').removeprefix('narrow ')
            paper = PAPER.get((family, kind))
            ratios = [
                f'{time.median / total[base].median:.2f}' for base in ('RGB', 'RepFlow')
            ]
            theirs = [
                f'{paper / PAPER[family, base]:.2f}' if paper else '-'
                for base in ('RGB', 'RepFlow')
            ]
            printed = f'{paper} ms' if paper else '-'
            table.rows.append((f'{family}, {name}', time, *ratios, printed, *theirs))
    return table


def _network(family: str, flow: str, channels: int, device: torch.device) -> nn.Module:
    model = build(family, 34, flow, channels).to(device)
    model.eval()  # MMAction2's returns None
    return model


def _tvl1(frames: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Flow as ComputeFlow gives it."""
    _, method = find_method('tvl1')
    return (quantize(method(*pair), 20) for pair in pairwise(frames))


def moving_texture(frames: int, size: int) -> list[np.ndarray]:
    """RGB pictures of a texture that moves by a pixel per frame, up and left."""
    rng = np.random.default_rng(0)
    texture = rng.uniform(0, 255, (size + frames, size + frames))
    texture = cv2.GaussianBlur(texture, (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    texture = cv2.cvtColor(texture, cv2.COLOR_GRAY2RGB)
    return [texture[i : i + size, i : i + size].copy() for i in range(frames)]
