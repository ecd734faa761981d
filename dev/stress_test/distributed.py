"""Several processes, and two hosts emulated with network namespaces."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from dev.stress_test.row import Row
from tests.helpers.faults import ddp, runs

_LIMIT = 900  # seconds that a run may take, on a busy machine too
_PLAIN = 'does not start on CPUs: it sets a CUDA device unconditionally'


def rows(folder: Path, share: float) -> Iterator[Row]:
    """Inject the faults; `share` of the full number of cases."""
    from repflow_mm.synthetic import MotionSet

    motion = MotionSet(train_clips=2, val_clips=1, size=64, frames=8).write(
        folder / 'motion'
    )
    base = runs.write_config(folder, motion, workers=0)
    one = ddp.write_config(folder, base, batch_size=4)
    two = ddp.write_config(folder, base, batch_size=2)
    status, output = ddp.finish(
        ddp.torchrun(
            'train.py', one, f'--work-dir={folder}/1', '--seed=5', processes=1
        ),
        _LIMIT,
    )
    if status != 0:
        raise RuntimeError(output[-2000:])
    yield _two_processes(folder, two)
    yield _rank_killed(folder, two, max(1, int(4 * share)))
    yield from _two_hosts(folder, two)


def _compare(folder: Path) -> tuple[bool, float]:
    """Whether both processes are bitwise identical, and the error against one."""
    single, first, second = (
        torch.load(folder / name) for name in ('1_0.pth', '2_0.pth', '2_1.pth')
    )
    distance = max(
        ((first[kind][key] - value).norm() / value.norm().clamp(min=1e-30)).item()
        for kind in single
        for key, value in single[kind].items()
        if value.is_floating_point()
    )
    return not runs.differences(first, second), distance


def _two_processes(folder: Path, config: Path) -> Row:
    process = ddp.torchrun('train.py', config, f'--work-dir={folder}/2', '--seed=5')
    status, _ = ddp.finish(process, _LIMIT)
    same, distance = _compare(folder)
    good = status == 0 and same and distance < 1e-9
    return Row(
        'two processes instead of one, same batch',
        1,
        int(not good),
        f'weights and averages within {distance:.0e} (fp64), both processes bitwise '
        'identical',
        _PLAIN,
    )


def _rank_killed(folder: Path, config: Path, count: int) -> Row:
    lost, slowest = 0, 0.0
    for i in range(count):
        killing = folder / 'killing.py'
        hook = f'dict(type="KillHook", at={i + 1}, rank={i % 2})'
        killing.write_text(f'{config.read_text()}custom_hooks.append({hook})\n')
        work = folder / f'killed_{i}'
        process = ddp.torchrun('train.py', killing, f'--work-dir={work}', '--seed=5')
        pointer = work / 'last_checkpoint'
        status, _ = ddp.finish(process, _LIMIT)
        slowest = max(slowest, time.time() - pointer.stat().st_mtime)
        lost += status == 0
    return Row(
        'one of two processes killed (-9)',
        count,
        lost,
        f'the other stops, the launcher exits with an error, within {slowest:.0f} s of '
        'the last checkpoint',
        _PLAIN,
    )


def _two_hosts(folder: Path, config: Path) -> Iterator[Row]:
    with _hosts() as hosts:
        if not hosts:
            yield Row(
                'two hosts (network namespaces)', 0, 0, 'not run: it needs root and ip'
            )
            return
        (folder / '2_0.pth').unlink(missing_ok=True)
        statuses = _run_on(hosts, config, folder / 'hosts')
        same, distance = _compare(folder)
        good = statuses == [0, 0] and same and distance < 1e-9
        yield Row(
            'two hosts (network namespaces, torchrun --nnodes 2)',
            1,
            int(not good),
            f'as two processes on one host: within {distance:.0e}, bitwise identical',
            _PLAIN,
        )
        start = time.monotonic()
        statuses = _run_on(hosts, config, folder / 'cut', cut=True)
        seconds = time.monotonic() - start
        yield Row(
            'the network between them is cut',
            1,
            int(0 in statuses),
            f'both stop with an error, {seconds:.0f} s after the start (timeout 30 s)',
            _PLAIN,
        )


def _run_on(hosts: list[str], config: Path, work: Path, cut: bool = False) -> list:
    processes = []
    port = ddp.free_port()
    for rank, host in enumerate(hosts):
        launch = (
            *('--nnodes=2', f'--node_rank={rank}', '--nproc_per_node=1'),
            *('--master_addr=10.77.0.1', f'--master_port={port}'),
        )
        processes.append(
            ddp.torchrun(
                'train.py',
                config,
                f'--work-dir={work}',
                '--seed=5',
                '--cfg-options',
                'env_cfg.dist_cfg.timeout=30',
                launch=launch,
                prefix=('ip', 'netns', 'exec', host),
                interface=f'veth-{host}',
            )
        )
    if cut:
        while not (work / 'last_checkpoint').exists():
            time.sleep(0.2)
        _ip('-n', hosts[1], 'link', 'set', f'veth-{hosts[1]}', 'down')
    return [ddp.finish(process, _LIMIT)[0] for process in processes]


@contextlib.contextmanager
def _hosts():
    """Two network namespaces joined by a virtual cable, or an empty list."""
    names = [f'rf{os.getpid()}a', f'rf{os.getpid()}b']
    try:
        for name in names:
            _ip('netns', 'add', name)
        cable = [f'veth-{name}' for name in names]
        _ip('link', 'add', cable[0], 'type', 'veth', 'peer', 'name', cable[1])
        for i, name in enumerate(names):
            _ip('link', 'set', cable[i], 'netns', name)
            _ip('-n', name, 'addr', 'add', f'10.77.0.{i + 1}/24', 'dev', cable[i])
            _ip('-n', name, 'link', 'set', cable[i], 'up')
            _ip('-n', name, 'link', 'set', 'lo', 'up')
    except (OSError, subprocess.CalledProcessError):
        names = []
    try:
        yield names
    finally:
        for name in names:
            _ip('netns', 'del', name)


def _ip(*args: str) -> None:
    subprocess.run(['ip', *args], check=True, capture_output=True)
