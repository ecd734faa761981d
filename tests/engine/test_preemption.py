"""SIGTERM and SIGUSR1 end training with a checkpoint; real signals, real runs."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.engine.preemption import Preempted, Preemption, shield_workers
from tests.helpers.faults import ddp
from tests.helpers.faults.runs import differences, losses, train_here, write_config
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.skipif(os.name != 'posix', reason='sends POSIX signals')


def signalling(config: Path, **hook) -> Path:
    """The same run, which sends itself a signal."""
    path = config.with_name('signalling.py')
    line = f'custom_hooks.append(dict(type="SignalHook", **{hook}))\n'
    path.write_text(config.read_text() + line)
    return path


def train(config: Path, work: Path, *options: str) -> subprocess.CompletedProcess:
    """Train in a process with a process group of its own."""
    return subprocess.run(
        [sys.executable, 'tools/train.py', config, f'--work-dir={work}', *options],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
        start_new_session=True,
    )


def position(checkpoint: Path) -> tuple[int, int]:
    meta = load_checkpoint(checkpoint)['meta']
    return meta['epoch'], meta['iter']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'status', 'workers'), [('SIGTERM', 143, 2), ('SIGUSR1', 138, 0)]
)
def test_a_signal_to_the_process_group(
    uncut, motion_set, tmp_path, name, status, workers
):
    """Workers and decoders are spared; the resumed run is bitwise identical."""
    work = tmp_path / 'work'
    config = write_config(tmp_path, motion_set, workers, within_epoch=0)
    result = train(signalling(config, name=name, at=5, group=True), work, '--seed=5')
    assert (result.returncode, result.stderr) == (status, '')
    lines = [line for line in result.stdout.splitlines() if name in line]
    wrote = f'{name}: wrote {work}/latest.pth at iteration 6; continue with --resume'
    assert [line.split(' - INFO - ')[1] for line in lines] == [wrote]
    assert result.stdout.rstrip().endswith(wrote)
    assert position(work / 'latest.pth') == (1, 6)

    train_here(config, work, '--resume')
    wanted = load_checkpoint(uncut / 'epoch_2.pth')
    assert differences(wanted, load_checkpoint(work / 'epoch_2.pth')) == []
    assert losses(work) == losses(uncut)
    assert not (work / 'latest.pth').exists()


@pytest.mark.slow
def test_signals_at_the_end_of_an_epoch_and_in_validation(
    uncut, motion_set, tmp_path, capsys
):
    work = tmp_path / 'work'
    config = write_config(tmp_path, motion_set, workers=0, within_epoch=0)

    def stopped(*options: str, **hook) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            train_here(signalling(config, **hook), work, *options)
        last = capsys.readouterr().out.splitlines()[-1]
        return stop.value.code, last.split(' - INFO - ')[1]

    # In the last iteration of the first epoch, and then in its validation.
    wrote = f'SIGTERM: wrote {work}/latest.pth at iteration 4; continue with --resume'
    assert stopped('--seed=5', name='SIGTERM', at=3) == (143, wrote)
    assert position(work / 'latest.pth') == (0, 4)
    found = 'SIGUSR1: stopped at iteration 4; continue with --resume, from epoch_1.pth'
    assert stopped('--resume', name='SIGUSR1', at=4, stage='val') == (138, found)
    assert [path.name for path in work.glob('*.pth')] == ['epoch_1.pth']

    train_here(config, work, '--resume')
    wanted = load_checkpoint(uncut / 'epoch_2.pth')
    assert differences(wanted, load_checkpoint(work / 'epoch_2.pth')) == []
    assert losses(work) == losses(uncut)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.slow
def test_accumulated_gradients_are_applied_first(plugin, motion_set, tmp_path):
    config = write_config(tmp_path, motion_set, workers=0, within_epoch=0)
    with pytest.raises(SystemExit) as stop:
        train_here(
            signalling(config, name='SIGTERM', at=4),
            tmp_path / 'work',
            '--cfg-options',
            'optim_wrapper.accumulative_counts=3',
        )
    assert stop.value.code == 143
    assert position(tmp_path / 'work' / 'latest.pth') == (1, 6)


@pytest.mark.slow
def test_testing_ends_at_once(uncut, motion_set, tmp_path):
    config = write_config(tmp_path, motion_set, workers=0)
    hooks = 'custom_hooks = [dict(type="StandStillHook")]\n'
    config.write_text(config.read_text() + hooks)
    process = subprocess.Popen(
        [sys.executable, 'tools/test.py', config, uncut / 'epoch_2.pth']
        + [f'--work-dir={tmp_path}/work'],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while 'standing still' not in process.stdout.readline():
        assert process.poll() is None
    process.terminate()
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (-signal.SIGTERM, '')  # in a shell, 143


def two_processes(folder: Path, motion_set: Path) -> Path:
    base = write_config(folder, motion_set, workers=1, within_epoch=0)
    return ddp.write_config(folder, base, batch_size=2)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    return ddp.finish(process, 600)


def train_pair(config: Path, work: Path, *options: str) -> tuple[int, str]:
    return finish(ddp.torchrun('train.py', config, f'--work-dir={work}', *options))


@pytest.mark.slow
def test_two_processes_stop_together(plugin, motion_set, tmp_path):
    """By a signal to one of them, then by one to torchrun, in a single run."""
    uncut = tmp_path / 'uncut'
    uncut.mkdir()
    config = two_processes(uncut, motion_set)
    status, output = train_pair(config, uncut / 'work', '--seed=5')
    assert status == 0, output[-3000:]

    config = two_processes(tmp_path, motion_set)
    work = tmp_path / 'work'

    def stopped(status: int, output: str, name: str) -> int:
        assert status == 1, output[-3000:]  # torchrun's own
        iteration = position(work / 'latest.pth')[1]
        wrote = f'{name}: wrote {work}/latest.pth at iteration {iteration}; continue'
        assert output.count(wrote) == 1
        assert 'killed by signal' not in output  # no data-loading worker was
        return iteration

    # Only the second process receives the signal; the first one writes.
    one = signalling(config, name='SIGUSR1', at=1, rank=1)
    status, output = train_pair(one, work, '--seed=5')
    # In the third iteration the other learns of it.
    assert stopped(status, output, 'SIGUSR1') == 3
    assert re.search(r'exitcode\s*: 138', output)

    slow = 'custom_hooks.append(dict(type="StandStillHook", seconds=1))\n'
    still = config.with_name('still.py')
    still.write_text(config.read_text() + slow)
    process = ddp.torchrun('train.py', still, f'--work-dir={work}', '--resume')
    while 'standing still' not in process.stdout.readline():
        assert process.poll() is None
    process.terminate()
    assert stopped(*finish(process), 'SIGTERM') > 3

    status, output = train_pair(config, work, '--resume')
    assert status == 0, output[-3000:]
    for rank in (0, 1):
        wanted, given = (
            torch.load(folder / f'2_{rank}.pth') for folder in (uncut, tmp_path)
        )
        assert differences(wanted, given) == []
    assert losses(work) == losses(uncut / 'work') and len(losses(work)) == 5


def test_signals_are_received_only_inside(plugin):
    with Preemption(enabled=True) as preemption:
        assert preemption.ask_everyone()() == 0
        os.kill(os.getpid(), signal.SIGUSR1)
        assert preemption.ask_everyone()() == signal.SIGUSR1
        os.kill(os.getpid(), signal.SIGTERM)
        assert preemption.ask_everyone()() == signal.SIGTERM
        with pytest.raises(Preempted) as stop, preemption.at_once():
            raise AssertionError('an earlier signal ends it')
    assert stop.value.code == 143
    for number in (signal.SIGTERM, signal.SIGUSR1):
        assert signal.getsignal(number) is signal.SIG_DFL
    with Preemption(enabled=True) as preemption, pytest.raises(Preempted) as stop:
        with preemption.at_once():
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(10)
    assert stop.value.code == 138


def test_handlers_of_others_are_left_alone(plugin):
    seen = []
    signal.signal(signal.SIGUSR1, lambda *args: seen.append(args[0]))
    try:
        with Preemption(enabled=True) as preemption:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert preemption.ask_everyone()() == 0
        os.kill(os.getpid(), signal.SIGUSR1)
        assert seen == [signal.SIGUSR1] * 2
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    with Preemption(enabled=False):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


class Circumstances(torch.utils.data.Dataset):
    """The process group of whoever loads a sample, and what SIGUSR1 does to it."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return os.getpgrp(), signal.getsignal(signal.SIGUSR1)


def test_workers_neither_share_the_group_nor_the_handlers(plugin):
    loader = torch.utils.data.DataLoader(
        Circumstances(), num_workers=1, collate_fn=list
    )
    shield_workers(loader)
    with Preemption(enabled=True):
        (((group, handler),),) = loader
    assert group != os.getpgrp() and handler is signal.SIG_IGN
