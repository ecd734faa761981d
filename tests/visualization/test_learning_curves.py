"""MMEngine logs, interrupted and resumed, as plotted curves."""

import json

import matplotlib.image
import pytest

from repflow_mm.commands.plot_logs import main
from repflow_mm.errors import InputError
from repflow_mm.visualization.learning_curves import choose_keys
from repflow_mm.visualization.run_log import read_run


def sitting(work_dir, name, iterations, epochs=(), value=0.0, end='', **scalars):
    """Log lines of a run with five iterations per epoch, from a start to an end."""
    rows = [
        dict(loss=value + i, lr=0.1, time=0.5, epoch=i // 5 + 1, iter=i, step=i)
        for i in iterations
    ]
    rows += [{**scalars, 'iter': i, 'step': i} for i in iterations if scalars]
    rows += [{'acc/top1': value + e / 10, 'time': 0.2, 'step': e} for e in epochs]
    # In the order of the training: a validation follows its epoch.
    rows.sort(key=lambda row: row['step'] if 'iter' in row else 5 * row['step'] + 0.5)
    log = work_dir / name / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows) + end)


@pytest.fixture
def runs(tmp_path):
    """A run killed at iteration 9 and resumed from 5, and an uninterrupted one."""
    flow = {'flow/backbone.flow/tau': 0.25, 'flow/backbone.flow/div_x_0': -1.0}
    sitting(tmp_path / 'a' / 'work', '20260101_000000', range(1, 10), [1], **flow)
    sitting(
        tmp_path / 'a' / 'work',
        '20260102_000000',
        range(6, 9),
        [2],
        value=100.0,
        end='{"loss": 3.',  # is being written
        **flow,
    )
    sitting(tmp_path / 'b' / 'work', '20260101_000000', range(1, 11), [1, 2])
    return [tmp_path / 'a' / 'work', tmp_path / 'b' / 'work']


def test_resumed_logs_are_joined_and_later_values_win(runs):
    log = read_run(runs[0])
    assert log['loss'].steps == [1, 2, 3, 4, 5, 6, 7, 8]  # iteration 9 was lost
    assert log['loss'].values == [1, 2, 3, 4, 5, 106, 107, 108]
    assert (log['loss'].unit, log['acc/top1'].unit) == ('iteration', 'epoch')
    assert (log['acc/top1'].steps, log['acc/top1'].values) == ([1, 2], [0.1, 100.2])
    assert log['time'].values == [0.5] * 8 and log['val/time'].values == [0.2] * 2
    assert log['flow/backbone.flow/tau'].unit == 'iteration'


def test_validations_that_were_given_up_are_left_out(tmp_path):
    sitting(tmp_path, '20260101_000000', range(1, 26), range(1, 6))
    sitting(tmp_path, '20260102_000000', range(11, 13))  # killed in epoch 3
    log = read_run(tmp_path)
    assert log['loss'].steps == list(range(1, 13))
    assert log['acc/top1'].steps == log['val/time'].steps == [1, 2]
    sitting(tmp_path, '20260103_000000', [], [2])  # killed after a validation
    assert read_run(tmp_path)['acc/top1'].steps == [1, 2]
    sitting(tmp_path, '20260104_000000', range(6, 9))  # resumed from epoch 1
    assert read_run(tmp_path)['loss'].steps == list(range(1, 9))


def test_validations_by_iteration_before_a_resumption_are_kept(tmp_path):
    for name, first, last in (('1', 1, 31), ('2', 21, 26)):
        log = tmp_path / name / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        rows = []
        for n in range(first, last):
            rows.append(dict(loss=1.0, epoch=1, iter=n, step=n))
            rows += [{'acc/top1': n / 100, 'step': n}] * (n % 10 == 0)
        log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
    log = read_run(tmp_path)
    assert log['loss'].steps == list(range(1, 26))
    assert log['acc/top1'].steps == [10, 20]  # that of 30 was given up


def test_a_training_that_was_not_resumed_begins_anew(tmp_path):
    for day, resume in enumerate((False, True, False, True), 1):
        name = f'2026010{day}_000000'
        sitting(tmp_path, name, range(5 * day, 5 * day + 2), [1], value=100.0 * day)
        config = tmp_path / name / 'vis_data' / 'config.py'
        config.write_text(f'randomness = dict(seed=0)\nresume = {resume}\n')
    log = read_run(tmp_path)
    assert log['loss'].steps == [15, 16, 20, 21]
    assert log['acc/top1'].values == [400.1]


def test_a_panel_for_each_key_and_a_line_for_each_run(runs, tmp_path, capsys):
    logs = {str(run): read_run(run) for run in runs}
    defaults = ['loss', 'acc/top1', 'lr', 'flow/backbone.flow/tau']
    assert choose_keys(logs) == defaults
    assert choose_keys(logs, ['flow/*', 'loss'])[1:] == [defaults[3], 'loss']
    out = tmp_path / 'new' / 'curves.png'
    main([*map(str, runs), '--out', str(out), '--keys', 'loss', 'acc/*'])
    assert capsys.readouterr().out == f'wrote {out}\n'
    picture = (matplotlib.image.imread(out)[..., :3] * 255).round().astype(int)
    for colour in ((194, 65, 12), (71, 85, 105)):  # both runs, in both panels
        there = (abs(picture - colour).max(-1) <= 2).any(0)
        assert there[: len(there) // 2].any() and there[len(there) // 2 :].any()


def test_names_are_no_formulas_and_fit(tmp_path):
    folders = []
    for name in ('a$b_$c_d', 'e' * 150, 'f' * 150):
        sitting(tmp_path / name, '20260101_000000', range(1, 5))
        folders.append(str(tmp_path / name))
    out = tmp_path / 'curves.png'
    main([*folders, '--out', str(out), '--keys', 'loss', 'lr'])
    picture = matplotlib.image.imread(out)[..., :3].min(-1)
    margin = 10
    assert picture[:, :margin].min() == picture[:, -margin:].min() == 1  # not cut off


@pytest.mark.parametrize('row', ['[1]', '{"loss": 1}', '\xff'])
def test_rows_that_are_none(tmp_path, row):
    sitting(tmp_path, '20260101_000000', range(1, 3))
    log = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.write_bytes(log.read_bytes() + row.encode('latin-1') + b'\n')
    with pytest.raises(InputError, match='line 3: this is no'):
        read_run(tmp_path)


def test_what_cannot_be_drawn(runs, tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    broken = tmp_path / 'broken'
    sitting(broken, '20260101_000000', [1], end='{"loss"\n{}\n')
    for arguments, message in (
        ([tmp_path / 'no'], f'there is no folder {tmp_path}/no'),
        ([tmp_path / 'empty'], 'holds no log of a training'),
        ([broken], 'scalars.json, line 2: this is not JSON'),
        ([*runs, '--keys', 'lss'], "no run logged 'lss': there are acc/top1, epoch,"),
    ):
        with pytest.raises(SystemExit):
            main([*map(str, arguments), '--out', str(tmp_path / 'curves.png')])
        error = capsys.readouterr().err
        assert message in error and error.startswith('error: ')
        assert error.count('\n') == 1
    with pytest.raises(SystemExit):
        main([str(runs[0]), '--out', str(tmp_path / 'curves.pdf')])
    assert 'name a file that ends in .png' in capsys.readouterr().err
    assert not list(tmp_path.glob('curves*'))
