"""Checkpoints are written atomically, whatever happens during writing."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.engine.hooks.safe_checkpoint import AtomicBackend, SafeCheckpointHook
from repflow_mm.errors import OutputError
from tests.helpers.faults.runs import train_here, write_config
from tests.helpers.paths import ROOT


def test_a_file_is_replaced_whole(plugin, tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    backend = AtomicBackend()
    backend.put(b'first', path)
    backend.put(b'second, longer', path)
    assert path.read_bytes() == b'second, longer'
    backend.put_text('déjà', tmp_path / 'last_checkpoint')
    assert (tmp_path / 'last_checkpoint').read_text(encoding='utf-8') == 'déjà'
    assert os.listdir(path.parent) == ['a.pth']


@pytest.mark.slow
def test_a_kill_at_any_byte_leaves_a_whole_file(plugin, tmp_path):
    """Readers never see a partial file, and a kill leaves none."""
    path = tmp_path / 'a.pth'
    code = f"""
import itertools
from repflow_mm.engine.hooks.safe_checkpoint import AtomicBackend
for i in itertools.count():
    AtomicBackend().put(bytes([i % 256]) * 4_000_000, {str(path)!r})
    if i == 0:
        print('ready', flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, '-c', code], cwd=ROOT, stdout=subprocess.PIPE
    )
    process.stdout.readline()  # by now the file is there
    for _ in range(100):
        data = path.read_bytes()
        assert data == data[:1] * 4_000_000
    process.send_signal(signal.SIGKILL if os.name == 'posix' else signal.SIGTERM)
    process.communicate()
    data = path.read_bytes()
    assert data == data[:1] * 4_000_000


def test_only_what_a_kill_left_is_deleted(plugin, tmp_path):
    (tmp_path / '.part-of-mine.part').mkdir()
    kept = ['.partition.json', '.partners', 'a.part.pth']
    left = ['.epoch_1.part.pth', f'.epoch_1.part-{"0f" * 16}.pth', '.last.part']
    for name in kept + left:
        (tmp_path / name).touch()
    runner = SimpleNamespace(work_dir=str(tmp_path), logger=logging.getLogger('x'))
    SafeCheckpointHook().before_train(runner)
    assert {p.name for p in tmp_path.iterdir()} == {'.part-of-mine.part', *kept}


@pytest.mark.slow
@pytest.mark.skipif(os.name != 'posix', reason='limits the size of files')
def test_a_full_disk_ends_in_one_line_and_leaves_the_checkpoint(
    run_python, motion_set, tmp_path
):
    config = write_config(tmp_path, motion_set, workers=0, within_epoch=2)
    work = tmp_path / 'work'
    # From iteration 3 on files may grow to 1 MB: logs can, checkpoints cannot.
    limited = tmp_path / 'limited.py'
    limited.write_text(
        config.read_text() + 'custom_hooks.append(dict(type="FullDiskHook", at=3))\n'
    )
    result = run_python('tools/train.py', limited, f'--work-dir={work}', '--seed=5')
    assert result.returncode == 2
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith(f'error: {work}/epoch_1.pth cannot be written (File too')
    assert 'Traceback' not in result.stderr
    pointer = (work / 'last_checkpoint').read_text()
    assert pointer == str(work / 'latest.pth')
    assert load_checkpoint(pointer)['meta']['iter'] == 2
    assert not list(work.glob('*.part'))


@pytest.mark.parametrize('metrics', [['acc/top1'], ['acc/top1', 'loss']])
def test_the_best_one_is_deleted_once_the_next_is_there(plugin, tmp_path, metrics):
    full = False

    def save(folder, filename, **options):
        if full:
            raise OutputError('no space left')
        Path(folder, filename).touch()

    hook = SafeCheckpointHook(save_best=metrics, rule='greater')
    runner = SimpleNamespace(
        epoch=0,
        iter=0,
        max_epochs=9,
        work_dir=str(tmp_path),
        message_hub=MessageHub.get_instance(str(tmp_path)),
        logger=logging.getLogger(),
        save_checkpoint=save,
    )
    hook.before_train(runner)

    def validate(epoch: int, **values: float) -> set[str]:
        runner.epoch = epoch
        hook._save_best_checkpoint(runner, {m: values[m[:3]] for m in metrics})
        return {path.name for path in tmp_path.glob('best_*')}

    def names(acc: int, loss: int) -> set[str]:
        every = f'best_acc_top1_epoch_{acc}.pth', f'best_loss_epoch_{loss}.pth'
        return set(every[: len(metrics)])

    assert validate(1, acc=0.5, los=3.0) == names(1, 1)
    assert validate(2, acc=0.7, los=2.0) == names(2, 1)
    assert validate(3, acc=0.6, los=2.0) == names(2, 1)
    # Resumed from another folder, whose files are not ours.
    other = tmp_path / 'other' / 'best_acc_top1_epoch_2.pth'
    other.parent.mkdir()
    other.touch()
    ours = Path(tmp_path, other.name)
    if len(metrics) == 1:
        hook.best_ckpt_path = str(other)
        runner.message_hub.update_info('best_ckpt', str(other))
        assert validate(4, acc=0.75) == {'best_acc_top1_epoch_4.pth'}  # a copy of it
        assert other.exists()
        hook.best_ckpt_path = str(ours)
        Path(tmp_path, 'best_acc_top1_epoch_4.pth').rename(ours)
    full = True
    with pytest.raises(OutputError):
        validate(4, acc=0.8, los=1.0)
    assert {path.name for path in tmp_path.glob('best_*')} == names(2, 1)


def test_a_work_dir_that_cannot_be_written(plugin, motion_set, tmp_path, capsys):
    config = write_config(tmp_path, motion_set, workers=0)
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit) as stop:
        train_here(config, tmp_path / 'file' / 'work')
    assert stop.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith(f'error: cannot write into work dir {tmp_path}/file/work (')
