"""The cost of isolated decoding: clips per second and memory."""

import io
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dev.stress_test.processes import environment, run
from dev.stress_test.row import Row
from repflow_mm.video import DECODERS, VideoProcess
from repflow_mm.video.decoders import CLASSES
from tests.helpers.faults import videos

_LEAK = """
import os, sys
from dev.stress_test.processes import memory
path, count = sys.argv[1], int(sys.argv[2])
if sys.argv[3] == 'ours':
    from repflow_mm.video import VideoProcess
    process = VideoProcess()
    def read():
        process.open(path)
        process.frames(range(0, 16, 2))
else:
    import io, decord
    def read():
        data = io.BytesIO(open(path, 'rb').read())
        decord.VideoReader(data, num_threads=1).get_batch(range(0, 16, 2)).asnumpy()
for i in range(count):
    read()
    if i in (count // 10, count - 1):
        print(memory(os.getpid()))
"""


def rows(folder: Path, share: float) -> Iterator[Row]:
    """Measure memory growth and speed."""
    folder.mkdir(parents=True, exist_ok=True)
    small, clip = folder / 'small.mp4', folder / 'clip.mp4'
    videos.encode(small, size='128x96', seconds=1)
    videos.encode(clip, size='340x256', seconds=10)
    count = max(200, int(10_000 * share))
    grown = [_growth(small, count, whose) for whose in ('ours', 'plain')]
    yield Row(
        'videos decoded by one process: growth of memory after the first tenth',
        count,
        int(grown[0] > 20),
        f'{grown[0]:+.1f} MiB',
        f'{grown[1]:+.1f} MiB (decord2 from bytes, as DecordInit)',
    )
    yield from _speed(clip, max(3, int(25 * share)))


def _growth(path: Path, count: int, whose: str) -> float:
    result = run(_LEAK, path, count, whose, env=environment(False), seconds=1500)
    early, late = map(float, result.stdout.split())
    return late - early


def _speed(path: Path, rounds: int) -> Iterator[Row]:
    """Clips per second, readers in alternation; ratios are medians over the rounds."""
    import decord

    numbers = list(range(40, 104, 2))
    index = CLASSES['pyav'](str(path), None, lambda: None).index
    names = [name for name in DECODERS if name != 'torchcodec']
    processes = {name: VideoProcess(name) for name in names}
    shape = len(numbers), index.height, index.width, 3

    def isolated(name: str) -> None:
        processes[name].open(str(path))
        processes[name].frames(numbers, copy=False)

    def in_the_worker() -> None:
        decoder = CLASSES['pyav'](str(path), index, lambda: None)
        decoder.read(numbers, np.empty(shape, np.uint8))

    def as_decord_init() -> None:
        data = io.BytesIO(path.read_bytes())
        decord.VideoReader(data, num_threads=1).get_batch(numbers).asnumpy()

    readers = {name: lambda name=name: isolated(name) for name in names}
    readers['worker'], readers['plain'] = in_the_worker, as_decord_init
    times = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            start = time.perf_counter()
            read()
            times[name].append(time.perf_counter() - start)
    rate = {name: 1 / statistics.median(t) for name, t in times.items()}
    ours = ', '.join(f'{name} {rate[name]:.1f}' for name in names)
    pairs = zip(times['pyav'], times['worker'], strict=True)
    slower = statistics.median(one / other for one, other in pairs) - 1
    yield Row(
        'clips per second on one core, 32 frames of 340x256 (H.264)',
        rounds * len(readers),
        0,
        ours,
        f'decord2 in the worker itself, from bytes: {rate["plain"]:.1f}',
    )
    yield Row(
        'the same by PyAV, in a process of its own instead of the worker',
        rounds,
        0,
        f'{slower:+.1%} time per clip, median of {rounds} pairs',
        'not compared',
    )
