"""Two processes train, average and test as one does, and none outlives the other."""

import json

import mmengine
import pytest
import torch

from tests.faults import ddp, runs
from tests.faults.runs import losses


@pytest.fixture(scope='module')
def trained(plugin, motion_set, tmp_path_factory):
    """The same training in one process and in two."""
    folder = tmp_path_factory.mktemp('distributed')
    base = runs.write_config(folder, motion_set, workers=0)
    two = ddp.write_config(folder, base, batch_size=2)
    one = ddp.write_config(folder, base, batch_size=4)
    trainings = [
        ddp.torchrun(
            'train.py',
            config,
            f'--work-dir={folder}/{processes}',
            '--seed=5',
            processes=processes,
        )
        for config, processes in ((one, 1), (two, 2))
    ]
    for training in trainings:
        status, output = ddp.finish(training)
        assert status == 0, output[-3000:]
    return folder


def test_two_processes_train_as_one(trained):
    one, two = losses(trained / '1'), losses(trained / '2')
    assert one.keys() == two.keys() and len(one) == 5
    # What is logged of two processes is the loss of the first one's half.
    assert one != two
    single = torch.load(trained / '1_0.pth')
    double = torch.load(trained / '2_0.pth')
    for kind in ('own', 'ema'):
        for key, value in single[kind].items():
            torch.testing.assert_close(double[kind][key], value, rtol=1e-9, atol=1e-12)


def test_all_processes_hold_the_same_bits(trained):
    first, second = (torch.load(trained / f'2_{rank}.pth') for rank in (0, 1))
    assert runs.differences(first, second) == []


def test_results_are_gathered_without_gaps_or_duplicates(trained, motion_set, tmp_path):
    lines = (motion_set / 'motion_val_list_videos.txt').read_text().splitlines()
    nine = tmp_path / 'nine.txt'
    nine.write_text('\n'.join(lines[:9]))
    config = trained / 'batch_of_2.py'
    checkpoint = trained / '2' / 'epoch_1.pth'
    testing = [
        ddp.torchrun(
            'test.py',
            config,
            checkpoint,
            f'--dump={tmp_path / f"{processes}.pkl"}',
            f'--work-dir={tmp_path}/{processes}',
            '--cfg-options',
            f'test_dataloader.dataset.ann_file={nine}',
            'test_dataloader.batch_size=2',
            processes=processes,
        )
        for processes in (1, 2)
    ]
    scores, figures = [], []
    for processes, process in enumerate(testing, 1):
        status, output = ddp.finish(process)
        assert status == 0, output[-3000:]
        results = mmengine.load(tmp_path / f'{processes}.pkl')
        labels = [result['gt_label'].item() for result in results]
        assert labels == [int(line.split()[-1]) for line in lines[:9]]
        scores.append(torch.stack([result['pred_score'] for result in results]))
        (report,) = (tmp_path / str(processes)).glob('*/*.json')
        figures.append(json.loads(report.read_text())['acc/top5'])
    assert torch.allclose(*scores, atol=1e-6) and figures[0] == figures[1]


def test_when_a_process_is_killed_the_other_stops(trained, tmp_path):
    config = trained / 'killed.py'
    config.write_text(
        (trained / 'batch_of_2.py').read_text()
        + "custom_hooks.append(dict(type='KillHook', at=3, rank=1))\n"
    )
    process = ddp.torchrun('train.py', config, f'--work-dir={tmp_path}/work')
    status, output = ddp.finish(process, 120)
    assert status != 0 and 'SIGKILL' in output
    assert (tmp_path / 'work' / 'latest.pth').is_file()
