"""`train` and `test` with wrong input: a one-line error that names the fix, exit 2."""

import json
import shutil
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from repflow_mm.checkpoint.load import load_checkpoint
from repflow_mm.commands import test, train
from repflow_mm.config import shipped_weights
from repflow_mm.errors import InputError
from repflow_mm.study.score_fusion import read_scores
from tests.helpers.paths import ROOT

REPFLOW = ROOT / 'configs' / 'repflow_r18_block2_motion.py'
RGB = ROOT / 'configs' / 'rgb_r18_motion.py'


@pytest.fixture(autouse=True)
def _fresh_loggers():
    """MMEngine keeps loggers, which hold the stream of a single test."""
    yield
    MMLogger._instance_dict.clear()


@pytest.fixture
def argv(motion_set, tmp_path):
    """Options that point a demo config at the small set."""
    options = [
        f'{loader}_dataloader.{key}={value}'
        for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val'))
        for key, value in (
            ('dataset.ann_file', motion_set / f'motion_{part}_list_videos.txt'),
            ('dataset.data_prefix.video', motion_set / f'videos_{part}'),
            ('num_workers', 0),
            ('persistent_workers', False),
            ('batch_size', 2),
        )
    ]
    return [
        '--work-dir',
        str(tmp_path / 'work'),
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'model.backbone.flow.n_iters=2',
        *options,
    ]


@pytest.fixture
def error(capsys, plugin):
    """Run a command line and return its one-line error."""

    def run(main, *argv) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in argv])
        assert stop.value.code == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith('error: ')
        assert 'Traceback' not in '\n'.join(lines)
        return lines[-1]

    return run


def list_of(motion_set, tmp_path, text: str) -> str:
    path = tmp_path / 'list.txt'
    path.write_text(text)
    return f'train_dataloader.dataset.ann_file={path}'


def test_no_config(error):
    assert 'no config at nowhere.py' in error(train.main, 'nowhere.py')


def test_no_checkpoint(error, argv):
    assert 'no checkpoint at no.pth' in error(test.main, REPFLOW, 'no.pth', *argv)
    line = error(train.main, REPFLOW, '--resume', 'no.pth', *argv)
    assert 'no checkpoint at no.pth' in line


def test_a_file_that_is_missing_from_the_set(error, argv, motion_set, tmp_path):
    bad = list_of(motion_set, tmp_path, 'still/0000.mp4 0\nstill/9.mp4 0\n')
    line = error(train.main, REPFLOW, *argv, bad)
    assert 'list.txt, line 2: there is no video' in line and 'still/9.mp4' in line


def test_an_empty_list(error, argv, motion_set, tmp_path):
    bad = list_of(motion_set, tmp_path, '')
    assert 'lists no videos' in error(train.main, REPFLOW, *argv, bad)


def test_a_label_out_of_range(error, argv, motion_set, tmp_path):
    bad = list_of(motion_set, tmp_path, 'still/0000.mp4 0\nstill/0001.mp4 10\n')
    line = error(train.main, REPFLOW, *argv, bad)
    assert 'line 2: label 10 is out of range for 10 classes' in line


def test_an_unknown_block(error, argv):
    line = error(train.main, REPFLOW, *argv, 'model.backbone.after=layer2')
    assert "after must be one of ('input', 'block1'" in line


def test_an_unknown_learn_name(error, argv):
    line = error(train.main, REPFLOW, *argv, 'model.backbone.flow.learn=[div,tav]')
    assert "unknown names ['tav']" in line and "'theta'" in line


def test_no_display(error, argv, monkeypatch):
    monkeypatch.setattr(matplotlib, 'get_backend', lambda: 'Agg')
    line = error(test.main, REPFLOW, 'any.pth', '--show', *argv)
    assert 'no display' in line and '--show-dir FOLDER' in line


def test_clips_of_one_frame(error, argv):
    bad = 'train_dataloader.dataset.pipeline.1.clip_len=1'
    line = error(train.main, REPFLOW, *argv, bad)
    assert 'at least 2 frames' in line


def test_options_that_cannot_work_here(error, argv, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(train, 'bf16_slowdown', lambda: 1.62)
    line = error(train.main, REPFLOW, '--amp', *argv)
    assert '--amp would be slower here' in line
    assert line.endswith('takes 1.6 times as long in bf16 as in fp32')
    line = error(test.main, REPFLOW, REPFLOW, '--dump', 'scores.txt', *argv)
    assert "end 'scores.txt' in .pkl" in line


def test_only_the_first_process_decides_about_amp(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(train, 'bf16_slowdown', lambda: 1.62)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    monkeypatch.setenv('RANK', '0')
    with pytest.raises(InputError, match='slower here'):
        train._enable_amp(cfg)
    monkeypatch.setenv('RANK', '1')
    train._enable_amp(cfg)
    assert cfg.optim_wrapper.type == 'CPUAmpOptimWrapper'


@pytest.mark.slow
def test_two_runs_within_a_second(argv, tmp_path, plugin, monkeypatch):
    setup_env = Runner.setup_env

    def within_a_second(runner, env_cfg):
        setup_env(runner, env_cfg)
        runner._timestamp = '20260101_000000'

    monkeypatch.setattr(Runner, 'setup_env', within_a_second)
    few = [f'{loader}_dataloader.dataset.indices=4' for loader in ('train', 'val')]
    argv = [arg for arg in argv if not arg.startswith('train_cfg.')]
    for epochs in (1, 2):
        argv[1] = str(tmp_path / f'epochs{epochs}')
        train.main([str(REPFLOW), *argv, *few, f'train_cfg.max_epochs={epochs}'])
    for epochs in (1, 2):
        (scalars,) = (tmp_path / f'epochs{epochs}').glob('*/vis_data/scalars.json')
        rows = [json.loads(line) for line in scalars.open()]
        assert sum('acc/top1' in row for row in rows) == epochs
        (log,) = (tmp_path / f'epochs{epochs}').glob('*/*.log')
        assert log.read_text().count('Epoch(val)') == epochs


@pytest.mark.slow
def test_training_in_bf16(argv, tmp_path, plugin, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(train, 'bf16_slowdown', lambda: 0.5)
    few = [f'{loader}_dataloader.dataset.indices=4' for loader in ('train', 'val')]
    few.append('val_cfg.fp16=True')
    train.main([str(REPFLOW), '--amp', *argv, *few])
    (log,) = (tmp_path / 'work').glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.open()]
    assert sum('acc/top1' in row for row in rows) == 1
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert losses and all(0 < loss < 10 for loss in losses)
    state = load_checkpoint(tmp_path / 'work' / 'epoch_1.pth')
    for weight in state['state_dict'].values():
        assert weight.dtype in (torch.float32, torch.int64)


@pytest.mark.slow
def test_what_a_resumed_run_cannot_change(error, argv, tmp_path, capsys):
    few = [f'{loader}_dataloader.dataset.indices=4' for loader in ('train', 'val')]
    argv = [*(arg for arg in argv if arg != 'train_cfg.max_epochs=1'), *few]
    work = Path(argv[1])
    train.main([str(REPFLOW), *argv, 'max_epochs=1'])
    # A copy goes on from its own files.
    copy = tmp_path / 'copy'
    shutil.copytree(work, copy)
    shutil.move(work, tmp_path / 'moved')
    capsys.readouterr()
    copied = ['--work-dir', str(copy), *argv[2:]]
    copied.append('max_epochs=2')
    train.main([str(REPFLOW), '--resume', *copied])
    said = ' '.join(capsys.readouterr().out.split())
    assert 'keeps settings of' in said and 'T_max 2, not 4' in said
    scalars = sorted(copy.glob('*/vis_data/scalars.json'))[-1]
    assert json.loads(scalars.read_text().splitlines()[0])['epoch'] == 2

    for option, message in (
        ('model.backbone.frozen_stages=2', 'as if other parameters learn now'),
        ('optim_wrapper.optimizer.type=SGD', 'is from another optimizer'),
        ('custom_hooks=[]', 'this one has no EMAHook'),
    ):
        line = error(train.main, REPFLOW, '--resume', *copied, option)
        assert message in line and 'load_from' in line
    best = next(copy.glob('best_*.pth'))
    line = error(train.main, REPFLOW, '--resume', best, *copied)
    assert 'it has no optimizer, as best_*.pth' in line
    for path in copy.glob('epoch_*.pth'):
        path.unlink()
    line = error(train.main, REPFLOW, '--resume', *copied)
    assert 'which no longer exists: name a checkpoint with --resume CKPT' in line


@pytest.mark.slow
def test_names_of_ddp_and_bare_weights(argv, tmp_path):
    """EMAHook loads its average from the same file."""
    tiny, scores = 'repflow_tiny_motion', {}
    state = load_checkpoint(shipped_weights(tiny))['state_dict']
    files = dict(
        usual=dict(state_dict=state),
        ddp=dict(state_dict={f'module.{name}': w for name, w in state.items()}),
        bare=dict(state),
    )
    argv = [arg for arg in argv if '.n_iters' not in arg]
    for name, content in files.items():
        path, dump = tmp_path / f'{name}.pth', tmp_path / f'{name}.pkl'
        torch.save({**content}, path)
        test.main([tiny, str(path), '--dump', str(dump), *argv])
        scores[name] = read_scores(dump)
    assert scores['usual'].accuracy()['top-1'] > 0.5
    for name in ('ddp', 'bare'):
        np.testing.assert_array_equal(scores[name].scores, scores['usual'].scores)


@pytest.mark.slow
def test_a_checkpoint_of_another_architecture(error, argv, tmp_path):
    train.main([str(RGB), *(a for a in argv if 'flow.n_iters' not in a)])
    checkpoint = tmp_path / 'rgb.pth'
    shutil.move(tmp_path / 'work' / 'epoch_1.pth', checkpoint)
    line = error(test.main, REPFLOW, checkpoint, *argv)
    assert 'another architecture' in line and 'backbone.flow.' in line
    line = error(train.main, REPFLOW, '--resume', checkpoint, *argv)
    assert 'another architecture' in line
    line = error(test.main, REPFLOW, checkpoint, *argv, 'model.backbone.depth=34')
    assert 'another architecture' in line
    # Fine-tuning from it is no mistake: the flow layer starts afresh.
    train.main([str(REPFLOW), *argv, f'load_from={checkpoint}'])
    shutil.rmtree(tmp_path / 'work')
    deeper = [f'load_from={checkpoint}', 'model.backbone.depth=34']
    line = error(train.main, REPFLOW, *argv, *deeper)
    assert 'another architecture' in line


@pytest.mark.slow
def test_the_other_options(argv, tmp_path, plugin, capsys):
    options = ['--no-validate', '--seed', '3', '--auto-scale-lr', '--deterministic']
    # Configs set persistent_workers, which must not fail without workers.
    argv = [arg for arg in argv if 'persistent_workers' not in arg]
    train.main([str(REPFLOW), *options, *argv])
    screen = capsys.readouterr()
    assert screen.err == ''
    start = screen.out.partition('Epoch(train)')[0].splitlines()[:-1]
    assert [line.split(' - INFO - ')[1].split(': ')[0] for line in start] == [
        'config',
        'work dir',
        'data',
        'model',
        'log',
    ]
    assert '20 samples for training in 10 batches' in start[2]
    assert 'in backbone.flow (RepresentationFlow)' in start[3]
    log = Path(start[4].split()[-1]).read_text()
    for line in (*start, 'System environment', 'paramwise_options', 'auto_scale_lr = '):
        assert line.split(' - INFO - ')[-1] in log
    torch.use_deterministic_algorithms(False)
    work = tmp_path / 'work'
    (saved,) = work.glob('*.py')
    cfg = Config.fromfile(saved)
    assert cfg.randomness.seed == 3 and cfg.randomness.deterministic
    (log,) = work.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.open()]
    assert not any('acc/top1' in row for row in rows)
    row = next(row for row in rows if 'lr' in row)
    assert row['lr'] < 1e-3 * 2 / 16 + 1e-9  # 2 clips, the rate is for 16

    pictures = tmp_path / 'pictures'
    checkpoint = str(work / 'epoch_1.pth')
    show = ['--show-dir', str(pictures), '--interval', '4']
    test.main([str(REPFLOW), checkpoint, *show, *argv])
    names = sorted(path.name for path in pictures.iterdir())
    assert names == ['000000.png', '000004.png', '000008.png']
    assert cv2.imread(str(pictures / names[0])).std() > 10

    (table,) = work.glob('*/confusion_matrix.csv')
    rows = [row.split(',') for row in table.read_text().splitlines()[1:]]
    assert sum(int(row[1]) for row in rows) == 10 and rows[0][0] == 'still'
    assert cv2.imread(str(table.with_suffix('.png'))).shape[0] > 500
    assert f'confusion matrix: {table.with_suffix(".png")}' in capsys.readouterr().out
    (figures,) = table.parent.glob('*.json')
    assert 'acc/mean1' in figures.read_text() and 'confusion' not in figures.read_text()


@pytest.mark.slow
def test_ctrl_c_says_where_it_stopped(argv, plugin, capsys):
    from mmengine.hooks import Hook
    from mmengine.registry import HOOKS

    class Interrupt(Hook):
        def after_train_iter(self, runner, *args, **kwargs) -> None:
            if runner.iter == 3:
                raise KeyboardInterrupt

    HOOKS.register_module(module=Interrupt, force=True)
    options = ['default_hooks.interrupt.type=Interrupt']
    options += ['default_hooks.checkpoint.within_epoch=2']
    with pytest.raises(SystemExit) as stop:
        train.main([str(REPFLOW), *argv, *options])
    assert stop.value.code == 130
    line = 'stopped at iteration 3; continue with --resume, from latest.pth\n'
    assert capsys.readouterr().err == line


def test_no_confusion_matrix_where_the_config_has_none(plugin, monkeypatch, tmp_path):
    mine = tmp_path / 'mine.py'
    mine.write_text(
        f'_base_ = {str(REPFLOW)!r}\ndefault_hooks = dict(confusion_matrix=None)\n'
    )
    (checkpoint := tmp_path / 'x.pth').touch()
    hooks = []
    monkeypatch.setattr(test, 'launch', lambda cfg, *_: hooks.append(cfg.default_hooks))
    test.main([str(REPFLOW), str(checkpoint)])
    test.main([str(mine), str(checkpoint)])
    off = ['--cfg-options', 'default_hooks.confusion_matrix=None']
    test.main([str(REPFLOW), str(checkpoint), *off])
    found = [(each['confusion_matrix'] or {}).get('type') for each in hooks]
    assert found == ['ConfusionMatrixHook', None, None]


def test_a_bug_keeps_its_traceback(plugin, monkeypatch):
    def broken(*_):
        raise ValueError('somebody else failed')

    monkeypatch.setattr(train, 'launch', broken)
    with pytest.raises(ValueError, match='somebody else'):
        train.main([str(REPFLOW)])
