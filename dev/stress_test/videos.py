"""Broken videos, read by data-loading workers as in training."""

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from torch.utils.data import DataLoader

from dev.stress_test.processes import decoders, environment, is_decoder, run
from dev.stress_test.row import Row
from tests.helpers.faults import videos

# An older decord, installed by quickstart.py.
_DECORD_06 = Path(sys.prefix) / 'decord_06'
_PIPELINE = [
    dict(type='VideoInit', timeout=20),
    dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(-1, 64)),
    dict(type='CenterCrop', crop_size=56),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]

# Reads each file with MMAction2's own transforms and prints the outcome.
_PLAIN = """
import sys, warnings
warnings.filterwarnings('ignore')
import mmaction.datasets.transforms
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
init_default_scope('mmaction')
read = Compose([
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 64)),
    dict(type='CenterCrop', crop_size=56),
    dict(type='FormatShape', input_format='NCTHW'),
])
for path in sys.argv[1:]:
    print('reading', path, flush=True)
    try:
        read(dict(filename=path, label=0, start_index=0, modality='RGB'))
        print('read', flush=True)
    except Exception as error:
        print('raised', type(error).__name__, flush=True)
"""


def rows(folder: Path, share: float) -> Iterator[Row]:
    """Inject the faults; `share` of the full number of cases."""
    good = videos.good_videos(folder / 'good')
    count = max(6, int(100 * share))
    for fault, bad in (
        (
            'video cut at a random byte',
            videos.truncated(good, folder / 'cut', count),
        ),
        (
            'a random kilobyte of a video overwritten with noise',
            videos.overwritten(good, folder / 'noise', count),
        ),
        (
            'not a video, no frames, a pipe, 1 pixel, 16,000 pixels wide',
            videos.oddities(folder / 'odd'),
        ),
    ):
        plain = _plain(bad)
        if _DECORD_06.is_dir() and fault.startswith('video cut'):
            plain += '; with decord 0.6: ' + _plain(bad, _DECORD_06)
        yield _read_all(fault, good, bad, plain)
    yield _decoders_fail(good, max(3, int(20 * share)))


def _dataset(folder: Path, files: list[Path], **options):
    from mmengine.registry import init_default_scope

    from repflow_mm.datasets import CheckedVideoDataset

    init_default_scope('mmaction')
    ann_file = folder / 'list.txt'
    ann_file.write_text(''.join(f'{path} 0\n' for path in files))
    return CheckedVideoDataset(
        str(ann_file), _PIPELINE, data_prefix=dict(video='/'), **options
    )


def _read_all(fault: str, good: list, bad: list, plain: str) -> Row:
    """Read each bad file between two good ones, as in training."""
    files = [path for i, one in enumerate(bad) for path in (good[i % len(good)], one)]
    dataset = _dataset(bad[0].parent, files)
    seen = Counter()
    for samples in DataLoader(dataset, 4, num_workers=2, collate_fn=list):
        for sample in samples:
            seen['samples'] += 1
            bad_ones = sample['data_samples'].metainfo.get('bad_videos', ())
            seen['bad'] += any('good' not in path for path, _ in bad_ones)
            seen['good'] += any('/good/' in path for path, _ in bad_ones)
    lost = len(files) - seen['samples'] + seen['good']
    replaced = f'{seen["bad"]} replaced and counted, {len(bad) - seen["bad"]} readable'
    return Row(fault, len(bad), lost, replaced, plain)


def _plain(files: list[Path], *first: Path) -> str:
    """Outcomes with MMAction2's own transforms; each failure would end a run."""
    ends, rest = Counter(), [str(path) for path in files]
    while rest:
        result = run(_PLAIN, *rest, env=environment(True, *first), seconds=120)
        lines = result.stdout.splitlines()
        ends['error'] += sum(line.startswith('raised') for line in lines)
        begun = sum(line.startswith('reading') for line in lines)
        if begun == 0:
            raise RuntimeError(result.stderr[-2000:])
        if lines[-1].startswith('reading'):
            ends['hang' if result.returncode == 124 else 'crash'] += 1
        rest = rest[begun:]
    total = ', '.join(f'{n} by {how}' for how, n in ends.items() if n)
    return f'{sum(ends.values())} end a run ({total})' if total else 'all read'


def _decoders_fail(good: list[Path], count: int) -> Row:
    """Kill or stop decoders while they read."""
    pipeline = [dict(_PIPELINE[0], timeout=3), *_PIPELINE[1:]]
    dataset = _dataset(good[0].parent, good * 60, test_mode=False)
    dataset.pipeline = type(dataset.pipeline)(pipeline)
    done, struck, stopped = threading.Event(), Counter(), []

    def strike() -> None:
        generator = random.Random(0)
        while not done.is_set() and sum(struck.values()) < count:
            time.sleep(generator.uniform(0.1, 0.6))
            running = decoders()
            if running:
                how = generator.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
                decoder = generator.choice(running)
                os.kill(decoder, how)
                struck[how.name] += 1
                if how == signal.SIGSTOP:
                    stopped.append(decoder)

    thread = threading.Thread(target=strike)
    thread.start()
    samples = replaced = 0
    while thread.is_alive():
        for batch in DataLoader(dataset, 4, num_workers=2, collate_fn=list):
            samples += len(batch) - 4
            replaced += sum('bad_videos' in s['data_samples'] for s in batch)
    done.set()
    thread.join()
    for decoder in filter(is_decoder, stopped):  # idle ones outlive their worker
        os.kill(decoder, signal.SIGKILL)
    hits = ', '.join(f'{n} {name}' for name, n in sorted(struck.items()))
    return Row(
        'decoder killed, crashing or hanging while it reads',
        sum(struck.values()),
        -samples,  # batches of four are whole
        f'{hits}: {replaced} samples replaced and counted',
        'a crash kills the data-loading worker and ends the run; a hang never ends',
    )
