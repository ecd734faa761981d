"""Early stopping counts on where a run is resumed."""

from pathlib import Path

import pytest

from tests.helpers.faults.runs import losses, train_here, write_config

STOPPING = """
custom_hooks += [
    dict(
        type='ResumableEarlyStoppingHook',
        monitor='acc/top1',
        min_delta=1,  # nothing is an improvement
        patience=2,
    )
]
train_cfg = dict(max_epochs=5)
"""


def epochs(work: Path) -> int:
    return len(losses(work)) // 4


@pytest.mark.slow
def test_a_resumed_run_stops_where_an_uninterrupted_one_does(
    plugin, motion_set, tmp_path
):
    config = write_config(tmp_path, motion_set, workers=0)
    config.write_text(config.read_text() + STOPPING)
    train_here(config, tmp_path / 'uncut', '--seed=5')
    assert epochs(tmp_path / 'uncut') == 3  # the first one sets the mark

    work = tmp_path / 'work'
    interrupted = tmp_path / 'interrupted.py'
    signal = "custom_hooks.append(dict(type='SignalHook', name='SIGTERM', at=9))\n"
    interrupted.write_text(config.read_text() + signal)
    with pytest.raises(SystemExit):
        train_here(interrupted, work, '--seed=5')
    train_here(config, work, '--resume')
    assert epochs(work) == 3
    train_here(config, work, '--resume')  # of a run that has stopped
    assert epochs(work) == 3
