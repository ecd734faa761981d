"""`study`: a claim of ten lines, run for real, killed at random and resumed."""

import os
import random
import shutil
import signal
import sys
import time

import pytest

from repflow_mm.study import processes
from repflow_mm.study.claim import read_claim
from repflow_mm.study.report import Report
from repflow_mm.study.rows import read_rows

CLAIM = """_base_ = 'repflow_mm::_base_/study.py'
title = 'Flow is better than none'
sets = dict(motion=dict(kind='motion'))
arms = dict(
    rgb=dict(config='rgb_r18_motion'),
    flow=dict(config='repflow_r18_block2_motion'),
    both=dict(fuse=('rgb', 'flow')),
    fails={'config': 'rgb_r18_motion', 'optim_wrapper.optimizer.lr': 1e30},
)
baseline = 'rgb'
contrasts = {'Flow is better': 'flow - rgb'}
scales = dict(quick=dict(seeds=1, train=20, val=10, options=dict(max_epochs=2)))
"""


@pytest.fixture
def study(plugin, tmp_path, monkeypatch):
    """Run the study into a folder, in copies of this process."""
    from repflow_mm.commands.study import main

    monkeypatch.setattr(processes, '_START', 'fork')
    # A copy of a process that has run OpenMP threads must not use them.
    monkeypatch.setattr(processes.torch, 'get_num_threads', lambda: 1)
    claim = tmp_path / 'own.py'
    claim.write_text(CLAIM)

    def study(name: str, *options: str) -> list:
        folder = tmp_path / name
        if options:
            return main([str(claim), '--out', str(folder), *options])
        # Errors go where the copies write their logs, not to pytest.
        monkeypatch.setattr(sys, 'stderr', sys.__stderr__)
        with pytest.raises(SystemExit) as stop:
            main([str(claim), '--out', str(folder)])
        assert stop.value.code == 1  # a run failed
        return read_rows(folder / 'results' / 'own.jsonl')

    return study


@pytest.mark.slow
def test_a_study_that_was_killed_gives_the_same_table(study, capsys, tmp_path):
    begin = time.monotonic()
    whole = study('whole')
    taken = time.monotonic() - begin
    shown = capsys.readouterr().out
    assert '(quick, n = 0 to 1 of 1)' in shown and '| motion | flow |' in shown

    # The run whose loss is NaN failed, and says so.
    assert [row.arm for row in whole] == ['both', 'fails', 'flow', 'rgb']
    for row in whole:
        if row.arm == 'fails':
            assert row.state == 'failed' and 'lower the learning rate' in row.reason
        else:
            assert row.state == 'done' and row.clips == 10 and row.seconds > 0
            top5 = set() if row.arm == 'both' else {'acc/top5'}
            assert set(row.metrics) == {'acc/top1', 'acc/mean1', 'nll'} | top5
    assert 'fails, on motion, seed 0: ' in shown
    both, _, flow, rgb = whole
    assert flow.metrics['nll'] != rgb.metrics['nll']
    # -log of a mean is below the mean of -log.
    assert both.metrics['nll'] < (flow.metrics['nll'] + rgb.metrics['nll']) / 2
    assert both.seconds == pytest.approx(flow.seconds + rgb.seconds)

    chance = random.Random(0)
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os.setsid()  # a process group, with the runs in it
            try:
                study('killed')
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0.1, 0.5) * taken)
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has finished
        os.waitpid(child, 0)
    resumed = study('killed')
    claim = read_claim(tmp_path / 'own.py')
    reports = [Report(claim, 'quick', rows, 1) for rows in (whole, resumed)]
    # All of it, but the time.
    whole_table, resumed_table = (
        [line.rsplit('|', 2)[0] for line in report.table().split('\n')]
        for report in reports
    )
    assert whole_table == resumed_table
    assert reports[0].statements() == reports[1].statements()
    assert reports[0].failures() == reports[1].failures()
    assert [r.metrics for r in whole] == [r.metrics for r in resumed]


@pytest.mark.slow
def test_an_array_of_jobs_gives_the_same_rows(study, capsys, tmp_path):
    whole = study('whole')
    with pytest.raises(SystemExit) as stop:
        study('parts', '--part', '0/2')
    assert stop.value.code == 1  # as in the whole study, so that the job fails
    assert 'fails, on motion, seed 0: ' in capsys.readouterr().out
    study('parts', '--part', '1/2')
    capsys.readouterr()
    parts = study('parts')
    # Only the run that failed is tried again.
    assert capsys.readouterr().out.count('seed 0: ') == 2  # its line, and in the report
    assert [r.metrics for r in parts] == [r.metrics for r in whole]

    # Scores cannot be fused on a machine that has only the rows.
    rows = tmp_path / 'parts' / 'results' / 'own.jsonl'
    lines = [line for line in rows.open() if '"both"' not in line]
    rows.write_text(''.join(lines))
    shutil.rmtree(tmp_path / 'parts' / 'runs')
    study('parts')
    said = capsys.readouterr().out
    assert 'both, on motion, seed 0: there are no scores of rgb and flow in' in said


@pytest.mark.parametrize(
    'args, message',
    [
        ([], 'name a claim: flicker, flow_of_flow'),
        (['flow_off_flow'], "did you mean 'flow_of_flow'?"),
        (['README.md'], 'is not a config'),
        (['flicker', 'flow_of_flow', 'flicker'], 'two claims are named flicker'),
        (['flow_of_flow', '--out', 'README.md'], 'is a file, not a folder'),
        (['--page', 'docs'], 'docs is a folder'),
        (['--page', 'x.md', '--seeds', '3'], 'trains nothing: leave out --seeds'),
        (['flicker', '--part', '2/2'], 'from 0/N to N-1/N, got 2/2'),
    ],
)
def test_mistakes_end_in_one_line(args, message, plugin, capsys):
    from repflow_mm.commands.study import main

    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
