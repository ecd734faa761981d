"""Check that decoders return exactly the requested frames.

`python -m dev.frame_exactness` compares random windows of videos, of many formats and
of real datasets if available, with all frames decoded sequentially. Prints a Markdown
table: wrong windows (or why the file is refused) and clips per second by format and
decoder, and the largest difference between decoders. Exit status 1 if a window is
wrong.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from repflow_mm.video import VideoError, VideoProcess
from repflow_mm.video.decoders import CLASSES, MODULES
from tests.helpers import numbered_videos as numbered
from tests.helpers.paths import VIDEOS

_CLIP = 8


def main() -> int:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('kinds', nargs='*', help='e.g. h264_b.avi; default: all')
    parser.add_argument('--windows', type=int, default=50)
    parser.add_argument('--frames', type=int, default=120)
    parser.add_argument('--real', type=Path, default=VIDEOS.with_name('real_videos'))
    args = parser.parse_args()
    names = [name for name in CLASSES if find_spec(MODULES[name])]
    processes = {name: VideoProcess(name) for name in names}
    print(f'| file | frames | {" | ".join(names)} | largest difference |')
    print('|---' * (len(names) + 3) + '|')
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds or numbered.NAMES:
            path = numbered.make(Path(folder), kind, args.frames)
            wrong += _row(kind, path, processes, args.windows)
    if not args.kinds:
        for dataset in sorted(args.real.glob('*/')):
            wrong += _dataset(dataset, processes)
    return min(wrong, 1)


def _row(kind: str, path: Path, processes: dict, windows: int) -> int:
    """Check random windows of one file with each decoder."""
    truth = _in_order(path)
    shown = _numbers(truth, kind)
    if shown != list(range(shown[0], shown[0] + len(shown))):
        raise AssertionError(f'{kind}: decoded sequentially, it shows {shown}')
    cells, largest, wrong = [], 0, 0
    for process in processes.values():
        bad, seconds, rng = 0, 0.0, np.random.default_rng(0)
        try:
            for _ in range(windows):
                start = rng.integers(len(truth))
                clip = np.minimum(start + 2 * np.arange(_CLIP), len(truth) - 1)
                begin = time.perf_counter()
                count = process.open(str(path)).frames
                frames = process.frames(clip)
                seconds += time.perf_counter() - begin
                right = _numbers(frames, kind) == [shown[i] for i in clip]
                bad += not right or count != len(truth)
                largest = max(largest, abs(frames.astype(int) - truth[clip]).max())
        except VideoError as error:
            cells.append(f'refused: {error.reason}')
        else:
            cells.append(f'{bad} wrong, {windows / seconds:.0f} clips/s')
            wrong += bad
    print(f'| {kind} | {len(truth)} | {" | ".join(cells)} | {largest} |', flush=True)
    return wrong


def _dataset(folder: Path, processes: dict) -> int:
    """Check all videos of a dataset: readable, and the same with each decoder."""
    files = sorted(folder.rglob('*.avi'))
    readable, different, largest, seconds = Counter(), Counter(), 0, Counter()
    for path in files:
        truth = _in_order(path)
        for name, process in processes.items():
            begin = time.perf_counter()
            try:
                count = process.open(str(path)).frames
                clip = np.minimum(len(truth) // 2 + np.arange(_CLIP), len(truth) - 1)
                frames = process.frames(clip)
            except VideoError as error:
                print(f'{error}', file=sys.stderr)
                continue
            finally:
                seconds[name] += time.perf_counter() - begin
            readable[name] += 1
            difference = abs(frames.astype(int) - truth[clip]).max()
            different[name] += difference > 2 or count != len(truth)
            largest = max(largest, difference)
    cells = ' | '.join(
        f'{readable[name]} of {len(files)} read, {different[name]} wrong, '
        f'{len(files) / seconds[name]:.0f} clips/s'
        for name in processes
    )
    print(f'| {folder.name} | {len(files)} files | {cells} | {largest} |', flush=True)
    return sum(different.values()) + sum(len(files) - readable[n] for n in processes)


def _in_order(path: Path) -> np.ndarray:
    """All frames, decoded sequentially by a plain loop."""
    import av

    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format='rgb24', interpolation='BICUBIC')
            frames.append(np.rot90(picture, frame.rotation // 90))
    return np.stack(frames)


def _numbers(frames: np.ndarray, kind: str) -> list[int]:
    turns = numbered.TURNS.get(kind, 0)
    return [numbered.number_of(frame, turns) for frame in frames]


if __name__ == '__main__':
    sys.exit(main())
