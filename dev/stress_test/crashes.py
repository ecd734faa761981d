"""Killed runs, truncated checkpoints, full disks."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dev.stress_test.processes import environment
from dev.stress_test.row import Row
from repflow_mm.checkpoint import load_checkpoint
from tests.helpers.faults import runs
from tests.helpers.paths import ROOT

_PLAIN_TRAIN = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner
cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = sys.argv[2]
cfg.resume = '--resume' in sys.argv
cfg.randomness = dict(seed=5)
Runner.from_cfg(cfg).train()
"""

# The same network, data and schedule in MMAction2 and MMEngine alone.
_PLAIN_CONFIG = """
default_scope = 'mmaction'
model = dict(
    type='Recognizer2D',
    backbone=dict(type='ResNet', depth=18, pretrained=None, norm_eval=False,
                  num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,)),
    cls_head=dict(type='TSNHead', num_classes=10, in_channels=128, average_clips='prob',
                  dropout_ratio=0.5, consensus=dict(type='AvgConsensus', dim=1)),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[123.7, 116.3, 103.5],
                           std=[58.4, 57.1, 57.4], format_shape='NCHW'),
)
pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=8),
    dict(type='DecordDecode'),
    dict(type='RandomCrop', size=56),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=5, num_workers={workers}, persistent_workers={persistent},
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='VideoDataset', ann_file={ann_file!r},
                 data_prefix=dict(video={videos!r}), pipeline=pipeline))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.001, momentum=0.9))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False,
                    max_keep_ckpts=1),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [dict(type='EMAHook', momentum=0.1, update_buffers=True)]
"""


def rows(folder: Path, share: float) -> Iterator[Row]:
    """Inject the faults; `share` of the full number of cases."""
    from repflow_mm.synthetic import MotionSet

    motion = MotionSet(train_clips=2, val_clips=1, size=64, frames=8).write(
        folder / 'motion'
    )
    for workers in (0, 2):
        yield _killed_runs(folder, motion, workers, max(1, int(3 * share)))
    yield _killed_writes(folder, max(10, int(300 * share)))
    yield _full_disk(folder, motion)
    yield _read_only(folder, motion)


def _killed_runs(folder: Path, motion: Path, workers: int, count: int) -> Row:
    """Each run is killed up to three times, at random moments, and resumed."""
    config = runs.write_config(folder, motion, workers)
    environ = environment(plain=False)

    def command(work: Path) -> list:
        train = [sys.executable, ROOT / 'tools' / 'train.py', config]
        return [*train, f'--work-dir={work}', '--seed=5', '--resume']

    def same(work: Path) -> bool:
        found = runs.differences(
            load_checkpoint(folder / f'uncut{workers}' / 'epoch_2.pth'),
            load_checkpoint(work / 'epoch_2.pth'),
        )
        return not found and runs.losses(work) == runs.losses(work.parent / uncut.name)

    uncut = folder / f'uncut{workers}'
    seconds = _seconds(command(uncut), environ)
    kills, lost = _kill_and_resume(
        folder, f'ours{workers}', count, command, environ, same, seconds
    )
    return Row(
        f'run of {workers} workers killed (-9) at a random moment, resumed',
        kills,
        lost,
        f'{count - lost} of {count} runs bitwise identical to an uninterrupted one: '
        'weights, averages, optimizer, schedule, losses',
        _plain_killed_runs(folder, motion, workers, count),
    )


def _kill_and_resume(
    folder: Path,
    name: str,
    count: int,
    command: Callable,
    environ: dict,
    same: Callable,
    seconds: float,
    kills_each: int = 3,
) -> tuple[int, int]:
    """Number of kills, and of runs that failed or ended with different results."""
    generator, kills, lost = random.Random(0), 0, 0
    for i in range(count):
        work = folder / f'{name}_{i}'
        for attempt in range(kills_each + 1):
            last = attempt == kills_each
            process = subprocess.Popen(
                command(work),
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            # The first third is spent on imports.
            moment = seconds * generator.uniform(0.3, 0.8)
            status = _wait(process, 100 * seconds if last else moment)
            if status is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
            else:
                lost += status != 0 or not same(work)
                break
    return kills, lost


def _seconds(command: list, environ: dict) -> float:
    """Duration of an uninterrupted run."""
    start = time.monotonic()
    subprocess.run(command, env=environ, check=True, capture_output=True)
    return time.monotonic() - start


def _wait(process: subprocess.Popen, seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _plain_config(folder: Path, motion: Path, workers: int) -> Path:
    config = folder / f'plain_{workers}.py'
    config.write_text(
        _PLAIN_CONFIG.format(
            workers=workers,
            persistent=workers > 0,
            ann_file=str(motion / 'motion_train_list_videos.txt'),
            videos=str(motion / 'videos_train'),
        )
    )
    return config


def _plain_killed_runs(folder: Path, motion: Path, workers: int, count: int) -> str:
    config = _plain_config(folder, motion, workers)

    def command(work: Path) -> list:
        return [sys.executable, '-c', _PLAIN_TRAIN, config, work, '--resume']

    def same(work: Path) -> bool:
        pointer = (work / 'last_checkpoint').read_text()
        wanted = (uncut / 'last_checkpoint').read_text()
        return not runs.differences(load_checkpoint(wanted), load_checkpoint(pointer))

    uncut = folder / f'plain_uncut{workers}'
    seconds = _seconds(command(uncut), environment(plain=True))
    said = []
    for unsafe in ('', '1'):
        environ = environment(plain=True, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=unsafe)
        _, lost = _kill_and_resume(
            folder,
            f'plain{workers}{unsafe}',
            count if unsafe else 1,
            command,
            environ,
            same,
            seconds,
            kills_each=1,
        )
        said.append((lost, count if unsafe else 1))
    (refused, one), (differ, all_) = said
    return (
        f'{refused} of {one} does not resume (its own checkpoint is refused); with '
        f'unrestricted unpickling {differ} of {all_} fail or end with different results'
    )


def _killed_writes(folder: Path, count: int) -> Row:
    """Processes that write checkpoints in a loop, killed at random moments."""
    from mmengine.fileio import LocalBackend

    from repflow_mm.engine.hooks.safe_checkpoint import AtomicBackend

    broken = {}
    for name, backend in (('ours', AtomicBackend()), ('plain', LocalBackend())):
        path = folder / f'{name}.pth'
        backend.put(b'\0' * 20_000_000, path)
        generator, broken[name] = random.Random(0), 0
        for _ in range(count):
            child = os.fork()
            if child == 0:
                for i in range(1, 1_000_000):
                    backend.put(bytes([i % 256]) * 20_000_000, path)
            time.sleep(generator.uniform(0.001, 0.1))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            data = path.read_bytes()
            broken[name] += data != data[:1] * 20_000_000
    return Row(
        'killed (-9) while a checkpoint is written',
        count,
        broken['ours'],
        'the file is complete each time',
        f'{broken["plain"]} of {count} files are truncated or mixed',
    )


def _full_disk(folder: Path, motion: Path) -> Row:
    """Train on a real file system that is too small for the second checkpoint."""
    config = runs.write_config(folder, motion, workers=0, within_epoch=2)
    with _mounted(folder / 'small', 'size=20m') as (work, missing):
        if missing:
            return Row('disk full', 0, 0, missing)
        result = _train(config, work)
        line = result.stderr.strip().splitlines()[-1]
        pointer = (work / 'last_checkpoint').read_text()
        whole = load_checkpoint(pointer)['meta']['iter'] > 0
        good = result.returncode == 2 and 'No space left' in line and whole
    plain = _plain_on(folder, motion, 'size=20m')
    return Row('disk full', 1, int(not good), _quote(line, folder), plain)


def _read_only(folder: Path, motion: Path) -> Row:
    config = runs.write_config(folder, motion, workers=0)
    with _mounted(folder / 'locked', 'size=1m,ro') as (work, missing):
        if missing:
            return Row('work dir read-only', 0, 0, missing)
        result = _train(config, work)
        line = result.stderr.strip().splitlines()[-1]
    good = result.returncode == 2 and line.startswith('error: cannot write into')
    plain = _plain_on(folder, motion, 'size=1m,ro')
    return Row('work dir read-only', 1, int(not good), _quote(line, folder), plain)


def _plain_on(folder: Path, motion: Path, options: str) -> str:
    """How a training run of plain MMEngine ends on such a file system."""
    config = _plain_config(folder, motion, workers=0)
    config.write_text(config.read_text().replace('max_keep_ckpts=1', ''))
    with _mounted(folder / f'plain_{options}', options) as (work, _):
        result = subprocess.run(
            [sys.executable, '-c', _PLAIN_TRAIN, config, work / 'run'],
            env=environment(plain=True),
            capture_output=True,
            text=True,
        )
        cut = []
        for path in sorted(work.glob('run/*.pth')):
            try:
                load_checkpoint(path)
            except ValueError:
                cut.append(path.name)
    error = result.stderr.strip().splitlines()[-1].split('] ')[-1].split(':')[0]
    left = f', {", ".join(cut)} is left truncated' if cut else ''
    return f'traceback ({error}){left}'


def _train(config: Path, work: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, ROOT / 'tools' / 'train.py', config, f'--work-dir={work}'],
        env=environment(plain=False),
        capture_output=True,
        text=True,
    )


def _quote(line: str, folder: Path) -> str:
    return f'"{re.sub(rf"{folder}/?", "", line)}"'


@contextlib.contextmanager
def _mounted(path: Path, options: str):
    """Mount an in-memory file system; yields its path, and the reason if it fails."""
    path.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield path, 'not run: mounting needs root'
        return
    try:
        yield path, ''
    finally:
        subprocess.run(['umount', str(path)], check=True)
