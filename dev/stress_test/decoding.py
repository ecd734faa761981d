"""The cost of isolated decoding: clips per second and memory."""

import io
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from dev.stress_test.processes import environment, run
from dev.stress_test.row import Row
from repflow_mm.video import DECODERS, VideoProcess
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
    """Measure them."""
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
    yield _speed(clip, max(3, int(25 * share)))


def _growth(path: Path, count: int, whose: str) -> float:
    result = run(_LEAK, path, count, whose, env=environment(False), seconds=1500)
    early, late = map(float, result.stdout.split())
    return late - early


def _speed(path: Path, rounds: int) -> Row:
    import decord

    indices = list(range(40, 104, 2))
    processes = {name: VideoProcess(name) for name in DECODERS}

    def isolated(name: str) -> None:
        processes[name].open(str(path))
        processes[name].frames(indices)

    def as_decord_init() -> None:
        data = io.BytesIO(path.read_bytes())
        decord.VideoReader(data, num_threads=1).get_batch(indices).asnumpy()

    readers = {name: lambda name=name: isolated(name) for name in DECODERS}
    readers['plain'] = as_decord_init
    times = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            start = time.perf_counter()
            read()
            times[name].append(time.perf_counter() - start)
    rate = {name: 1 / statistics.median(t) for name, t in times.items()}
    ours = ', '.join(f'{name} {rate[name]:.1f}' for name in DECODERS)
    return Row(
        'clips per second on one core, 32 frames of 340x256 (H.264)',
        rounds * len(readers),
        0,
        f'{ours}',
        f'decord2 in the worker itself, from bytes: {rate["plain"]:.1f}',
    )
