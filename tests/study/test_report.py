"""What rows say: tables, verdicts, failed runs, and the page made of them."""

import dataclasses
import json

import pytest

from repflow_mm.errors import InputError
from repflow_mm.study.claim import read_claim
from repflow_mm.study.page import MARK, write_page
from repflow_mm.study.plan import plan
from repflow_mm.study.report import Report
from repflow_mm.study.rows import current, read_rows, row_of, write_rows
from repflow_mm.study.run import METRIC, Result
from repflow_mm.study.statistics import p_value
from repflow_mm.study.trial import NLL, further_metrics
from tests.study.test_claim import TEN_LINES

MACHINE = dict(device='a processor', threads='1', commit='abc', PyTorch='2.13')
TOP1 = dict(rgb=(0.10, 0.12, 0.11), flow=(0.70, 0.73, 0.71))


@pytest.fixture
def claim(plugin, tmp_path):
    path = tmp_path / 'own.py'
    path.write_text(TEN_LINES.replace('seeds=2', 'seeds=4'))
    return read_claim(path)


@pytest.fixture
def trials(claim, tmp_path):
    return plan(claim, 'quick', None, tmp_path)


@pytest.fixture
def rows(trials):
    """Three of four seeds on two sets; flow is worse on one of them by noise."""
    rows = []
    for trial in trials:
        if trial.seed == 3:
            continue
        top1 = TOP1[trial.arm][trial.seed]
        if trial.set == 'four':
            top1 = (0.5, 0.2, 0.4)[trial.seed - (trial.arm == 'flow')]
        metrics = {METRIC: top1, NLL: 1.0, f'{METRIC}/strong': top1 / 2}
        rows.append(row_of(trial, Result(metrics, 10, 60.0, '2026-01-02', MACHINE)))
    return rows


def test_verdicts_follow_the_numbers(claim, rows):
    report = Report(claim, 'quick', rows, 4)
    ten, four = report.verdicts()
    assert (ten.test, ten.says) == ('ten', 'holds') and ten.p < 0.01
    assert (four.test, four.says) == ('four', 'cannot be told')
    assert ten.values == pytest.approx([0.6, 0.61, 0.6])
    assert report.state() == 'n = 3 of 4'
    turned = [
        dataclasses.replace(r, arm='flow' if r.arm == 'rgb' else 'rgb') for r in rows
    ]
    assert Report(claim, 'quick', turned, 4).verdicts()[0].says == 'does not hold'
    assert '- **holds**: Flow is better (on ten): +60.3 ± 1.4 points, n = 3' in (
        report.statements()
    )
    assert '| ten/strong | flow |  | 35.7 ± 1.9 | +30.2 ± 0.7 |' in report.table()


def test_contrasts_that_have_not_run_count_in_the_adjustment(claim, rows):
    one_set = [row for row in rows if row.set == 'ten']
    ten, four = Report(claim, 'quick', one_set, 4).verdicts()
    assert (four.says, four.values) == ('cannot be told', [])
    assert ten.p == pytest.approx(2 * p_value(ten.values))


def test_a_failed_run_is_shown_and_costs_its_seed_alone(claim, trials, rows):
    loss = 'loss is nan at iteration 3 (log: /somewhere)'
    failed = row_of(trials[1], loss)
    assert failed.date and failed.machine['threads']
    assert (failed.arm, failed.state) == ('flow', 'failed')
    others = [row for row in rows if row.key != failed.key]
    report = Report(claim, 'quick', [*others, failed], 4)
    assert report.failures() == ['flow, on ten, seed 0: loss is nan at iteration 3']
    assert report.state() == 'n = 2 to 3 of 4'
    assert len(report.verdicts()[0].values) == 2


def test_without_rows_nothing_can_be_told(claim):
    report = Report(claim, 'quick', [], 4)
    assert report.state() == 'n = 0 of 4'
    assert report.verdicts() == [] and report.not_run() == 'Not run: rgb; flow.'


def test_arms_that_have_not_run_are_one_line(claim, rows):
    report = Report(claim, 'quick', [row for row in rows if row.arm == 'rgb'], 4)
    assert report.not_run() == 'Not run: flow.' and report.verdicts() == []
    assert '| rgb |' in report.table() and '| flow |' not in report.table()
    assert Report(claim, 'quick', rows, 4).not_run() == ''


def test_rows_are_kept_in_a_file_and_replaced_by_later_ones(rows, trials, tmp_path):
    path = tmp_path / 'results' / 'own.jsonl'
    write_rows(path, rows[1:])
    write_rows(path, rows[:1])
    assert sorted(read_rows(path), key=str) == sorted(rows, key=str)
    better = dataclasses.replace(rows[0], metrics={METRIC: 1.0})
    write_rows(path, [better])
    assert len(read_rows(path)) == len(rows) and better in read_rows(path)
    assert json.loads(path.read_text().splitlines()[0])['claim'] == 'own'
    changed = dataclasses.replace(rows[0], digest='other')
    assert current([changed, rows[1]], trials) == [rows[1]]
    write_rows(path, [changed])  # such as that of a copy of the claim
    assert all(row in read_rows(path) for row in (changed, better))
    path.write_text('{"claim": "own"}\n')
    with pytest.raises(InputError, match='line 1: this is not a result'):
        read_rows(path)


def test_the_page_has_a_section_per_claim(claim, rows, tmp_path):
    results = tmp_path / 'results'
    page = tmp_path / 'study.md'
    write_page(page, [claim], results, tmp_path)
    assert 'Not run' in page.read_text()
    write_rows(results / 'own.jsonl', rows)
    page.write_text(f'# Mine\n\nKept.\n\n{MARK}\n\nreplaced\n')
    write_page(page, [claim], results, tmp_path)
    text = page.read_text()
    assert text.startswith('# Mine\n\nKept.\n') and 'replaced' not in text
    assert '### quick: n = 3 of 4' in text and '**cannot be told**' in text
    assert 'a processor, threads: 1, PyTorch 2.13, commit abc, 2026-01-02' in text
    assert (tmp_path / 'study' / 'own_quick.png').stat().st_size > 10_000
    # Rows of a config that has changed since are not shown, nor their seeds planned.
    old = dataclasses.replace(rows[0], digest='x', seed=19)
    write_rows(results / 'own.jsonl', [old])
    write_page(page, [claim], results, tmp_path)
    assert '### quick: n = 3 of 4' in page.read_text()
    (results / 'own.jsonl').unlink()
    write_rows(
        results / 'own.jsonl', [dataclasses.replace(r, digest='x') for r in rows]
    )
    write_page(page, [claim], results, tmp_path)
    assert 'Not run' in page.read_text()


def test_losses_and_levels_are_of_the_right_clips(trials):
    import numpy as np

    from repflow_mm.study.score_fusion import Scores

    videos = trials[0].videos  # flicker: levels steady, weak, strong in turn
    names = tuple(f'videos_val/still/{n:04d}.mp4' for n in range(6))
    scores = np.array([[0.75, 0.25]] * 4 + [[0.5, 0.5]] * 2)
    labels = np.array([0, 1, 0, 0, 0, 1])
    found = further_metrics(Scores('', names, scores, labels, labels < 0), videos)
    of_truth = [0.75, 0.25, 0.75, 0.75, 0.5, 0.5]
    assert found[NLL] == pytest.approx(-np.log(of_truth).mean())
    assert found[f'{METRIC}/steady'] == 1  # 0 and 3
    assert found[f'{METRIC}/weak'] == 0.5  # 1 and 4
    assert found[f'{METRIC}/strong'] == 0.5  # 2 and 5
    # Logits have no likelihood, and two clips no third level.
    few = Scores('', names[:2], 5 * scores[:2], labels[:2], labels[:2] < 0)
    assert set(further_metrics(few, videos)) == {
        f'{METRIC}/{level}' for level in ('steady', 'weak')
    }
