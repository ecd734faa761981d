"""Two processes train, average and test like one, and neither outlives the other."""

import json
import subprocess
from pathlib import Path

import mmengine
import pytest
import torch

from repflow_mm.commands import test
from tests.helpers.faults import ddp, runs
from tests.helpers.faults.runs import losses


@pytest.fixture
def in_double(plugin):
    """Use fp64 in this process for the duration of a test."""
    import tests.helpers.faults.double  # noqa: F401  sets it, when it is imported first

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
def test_two_processes_train_and_test_as_one(in_double, motion_set, tmp_path):
    """A single test, so that each slow training run is done only once."""
    base = runs.write_config(tmp_path, motion_set, workers=0)
    one = ddp.write_config(tmp_path, base, batch_size=4)
    two = ddp.write_config(tmp_path, base, batch_size=2)
    # DDP lays out its buckets before the weights change, and for the whole run if it
    # looks for unused parameters.
    more = """
channels_last = True
model_wrapper_cfg = dict(type='MMDistributedDataParallel', find_unused_parameters=True)
"""
    for config in (one, two):
        config.write_text(config.read_text() + more)
    both = ddp.torchrun('train.py', two, f'--work-dir={tmp_path}/2', '--seed=5')
    runs.train_here(one, tmp_path / '1', '--seed=5')
    _finish(both)
    _check_training(tmp_path)
    _check_gathering(tmp_path, two, motion_set)


def _finish(process: subprocess.Popen) -> None:
    status, output = ddp.finish(process)
    assert status == 0, output[-3000:]


def _check_training(folder: Path) -> None:
    one, two = losses(folder / '1'), losses(folder / '2')
    assert one.keys() == two.keys() and len(one) == 5
    # What is logged of two processes is the loss of the first one's half.
    assert one != two
    single = torch.load(folder / '1_0.pth')
    double = torch.load(folder / '2_0.pth')
    for kind in ('own', 'ema'):
        for key, value in single[kind].items():
            torch.testing.assert_close(double[kind][key], value, rtol=1e-9, atol=1e-12)
    first, second = (torch.load(folder / f'2_{rank}.pth') for rank in (0, 1))
    assert runs.differences(first, second) == []


def _check_gathering(folder: Path, config: Path, motion_set: Path) -> None:
    """Nine results of two processes: none missing, none duplicated."""
    lines = (motion_set / 'motion_val_list_videos.txt').read_text().splitlines()
    nine = folder / 'nine.txt'
    nine.write_text('\n'.join(lines[:9]))
    checkpoint = folder / '2' / 'epoch_1.pth'
    options = [
        '--cfg-options',
        f'test_dataloader.dataset.ann_file={nine}',
        'test_dataloader.batch_size=2',
    ]
    command = {
        n: [config, checkpoint, f'--dump={folder}/{n}.pkl', f'--work-dir={folder}/t{n}']
        for n in (1, 2)
    }
    both = ddp.torchrun('test.py', *command[2], *options)
    test.main([*map(str, command[1]), *options])
    _finish(both)
    scores, figures = [], []
    for processes in (1, 2):
        results = mmengine.load(folder / f'{processes}.pkl')
        labels = [result['gt_label'].item() for result in results]
        assert labels == [int(line.split()[-1]) for line in lines[:9]]
        scores.append(torch.stack([result['pred_score'] for result in results]))
        (report,) = (folder / f't{processes}').glob('*/*.json')
        figures.append(json.loads(report.read_text())['acc/top5'])
    assert torch.allclose(*scores, atol=1e-6) and figures[0] == figures[1]


@pytest.mark.slow
def test_when_a_process_is_killed_the_other_stops(plugin, motion_set, tmp_path):
    base = runs.write_config(tmp_path, motion_set, workers=0)
    config = ddp.write_config(tmp_path, base, batch_size=2)
    config.write_text(
        config.read_text()
        + "custom_hooks.append(dict(type='KillHook', at=3, rank=1))\n"
    )
    process = ddp.torchrun('train.py', config, f'--work-dir={tmp_path}/work')
    status, output = ddp.finish(process, 120)
    assert status != 0 and 'SIGKILL' in output
    assert (tmp_path / 'work' / 'latest.pth').is_file()
