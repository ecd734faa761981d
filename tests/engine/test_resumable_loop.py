"""A killed and resumed run is bitwise identical to an uninterrupted one."""

import random
import shutil

import numpy as np
import pytest
import torch

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.engine.resumable_loop import _seeded, _SeededBatches, _SeededDataset
from tests.helpers.faults.runs import differences, losses, train_here, write_config


@pytest.mark.slow
def test_a_killed_run_is_bitwise_identical(uncut, run_python, motion_set, tmp_path):
    """Killed inside the second epoch, with two workers where the other had none."""
    work = tmp_path / 'work'
    config = write_config(tmp_path, motion_set, workers=2)
    killing = tmp_path / 'killing.py'
    kill = 'custom_hooks.append(dict(type="KillHook", at=6))\n'
    killing.write_text(config.read_text() + kill)
    result = run_python(
        'tools/train.py', killing, f'--work-dir={work}', '--seed=5', threads=1
    )
    assert result.returncode == -9, result.stderr[-2000:]
    train_here(config, work, '--resume')  # the seed is in the checkpoint

    wanted = load_checkpoint(uncut / 'epoch_2.pth')
    given = load_checkpoint(work / 'epoch_2.pth')
    assert {'ema_state_dict', 'optimizer', 'param_schedulers'} <= wanted.keys()
    assert differences(wanted, given) == []
    _check_that_differences_are_seen(wanted, given)
    assert losses(work) == losses(uncut) and len(losses(work)) == 8
    kinds = sorted(path.name.split('_')[0] for path in work.glob('*.pth'))
    assert kinds == ['best', 'epoch']  # one of each, and no latest.pth


def _check_that_differences_are_seen(wanted: dict, given: dict) -> None:
    weight = given['ema_state_dict']['module.backbone.conv1.conv.weight']
    weight.view(-1)[0] += 1e-7
    given['optimizer']['param_groups'][0]['lr'] *= 1 + 1e-15
    given['message_hub']['log_scalars']['train/loss'].update(1.0)
    assert [line.split(': ')[0] for line in differences(wanted, given)] == [
        '.ema_state_dict.module.backbone.conv1.conv.weight',
        '.message_hub.log_scalars.train/loss',
        '.optimizer.param_groups.0.lr',
    ]


@pytest.mark.slow
def test_a_finished_run_is_not_validated_again(uncut, motion_set, tmp_path):
    work = tmp_path / 'work'
    shutil.copytree(uncut, work)
    before = set(work.glob('*/*.log'))
    (work / 'last_checkpoint').write_text(str(work / 'epoch_2.pth'))
    config = write_config(tmp_path, motion_set, workers=0)
    train_here(config, work, '--resume')
    (text,) = (p.read_text() for p in work.glob('*/*.log') if p not in before)
    assert 'resumed epoch: 2' in text and 'Epoch(val)' not in text


class Draws(torch.utils.data.Dataset):
    """Random samples."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize('workers', [0, 2])
def test_a_sample_depends_on_seed_epoch_and_index_alone(workers):
    def samples(epoch: int, skip: int, batch_size: int) -> list:
        sampler = torch.utils.data.SequentialSampler(range(10))
        batches = _SeededBatches(
            torch.utils.data.BatchSampler(sampler, batch_size, drop_last=False)
        )
        batches.seed, batches.epoch, batches.skip = 3, epoch, skip
        loader = torch.utils.data.DataLoader(
            _SeededDataset(Draws()),
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=list,
        )
        return [sample for batch in loader for sample in batch]

    whole = samples(epoch=1, skip=0, batch_size=2)
    assert [sample[0] for sample in whole] == list(range(10))
    assert len({value for sample in whole for value in sample[1:]}) == 30
    assert samples(1, 3, 2) == whole[6:]
    assert samples(1, 1, 5) == whole[5:]
    assert samples(2, 0, 2) != whole


def test_reading_a_sample_leaves_the_generators_alone():
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    with _seeded(1, 2, 3):
        Draws()[0]
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.slow
def test_a_run_with_epochs_of_another_length_is_not_resumed(
    uncut, motion_set, tmp_path, capsys
):
    config = write_config(tmp_path, motion_set, workers=0)
    checkpoint = str(uncut / 'epoch_2.pth')
    with pytest.raises(SystemExit):
        train_here(
            config,
            tmp_path / 'work',
            f'--resume={checkpoint}',
            '--cfg-options',
            'train_dataloader.batch_size=4',
        )
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith('error: the run to resume had 4 iterations per epoch and')


@pytest.mark.slow
def test_the_first_start_with_resume_takes_the_weights_it_is_given(
    uncut, motion_set, tmp_path
):
    config = write_config(tmp_path, motion_set, workers=0)
    train_here(
        config,
        tmp_path / 'work',
        '--resume',
        '--cfg-options',
        f'load_from={uncut / "epoch_2.pth"}',
        'train_cfg.max_epochs=1',
        'optim_wrapper.optimizer.lr=1e-30',
    )
    wanted, given = (
        load_checkpoint(path)['state_dict']['backbone.conv1.conv.weight']
        for path in (uncut / 'epoch_2.pth', tmp_path / 'work' / 'epoch_1.pth')
    )
    assert torch.equal(wanted, given)


@pytest.mark.slow
def test_gradients_that_are_lost_are_named(uncut, motion_set, tmp_path, capsys):
    config = write_config(tmp_path, motion_set, workers=0)
    train_here(
        config,
        tmp_path / 'work',
        f'--resume={uncut / "epoch_2.pth"}',
        '--cfg-options',
        'train_cfg.max_epochs=3',
        'optim_wrapper.accumulative_counts=3',
    )
    shown = capsys.readouterr()
    line = 'resumed at iteration 8, where gradients are accumulated over 3: those of'
    assert line in shown.out + shown.err
