"""Runs that were trained apart, fused: another arm of a cross-validation."""

import json

import pytest

from repflow_mm.commands.cross_validate import main
from repflow_mm.study.fused_run import FusedRun
from repflow_mm.study.run import METRIC, Run
from tests.study.test_score_fusion import dump

SCORES = dict(  # each is right on two of three clips, their mean on all
    rgb_r18_motion=([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1], 'abc'),
    repflow_r18_block2_motion=([[0.1, 0.9], [0.6, 0.4], [0.1, 0.9]], [1, 0, 1], 'cab'),
)


@pytest.fixture
def runs(tmp_path, plugin):
    """Two networks, and a function that gives one its result."""

    def finish(run: Run, seconds: float | None = 60.0) -> None:
        run.folder.mkdir(parents=True)
        dump(run.predictions, *SCORES[run.stem])
        result = dict(metrics={METRIC: 2 / 3}, clips=3, seconds=seconds)
        (run.folder / 'result.json').write_text(json.dumps(result))

    return [Run(name, {}, None, 0, tmp_path) for name in SCORES], finish


def test_the_mean_of_the_scores_once_all_have_finished(runs):
    (rgb, flow), finish = runs
    both = FusedRun([rgb, flow])
    assert both.stem == 'rgb_r18_motion + repflow_r18_block2_motion'
    finish(rgb)
    assert both.result() is None
    finish(flow)
    result = both.result()
    assert result.metrics[METRIC] == 1 and result.clips == 3 and result.seconds == 120


def test_seconds_of_an_interrupted_run_are_unknown(runs):
    (rgb, flow), finish = runs
    finish(rgb)
    finish(flow, seconds=None)
    assert FusedRun([rgb, flow]).result().seconds is None


def test_it_is_an_arm_of_the_table(runs, tmp_path, capsys):
    pair, finish = runs
    for run in pair:
        finish(run)
    configs = [str(run.config) for run in pair]
    options = ['--seeds', '0', '--work-dir', str(tmp_path)]
    main([*configs, *options, '--fuse', *configs])
    row = f'| {" + ".join(configs)} | 100.0 | +33.3 | 1 of 1 | 120 |'
    assert row in capsys.readouterr().out.splitlines()
    rows = (tmp_path / 'results.csv').read_text()
    assert f'{" + ".join(configs)},,0,3,120.0,acc/top1,1.0' in rows
