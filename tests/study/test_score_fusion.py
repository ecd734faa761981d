"""Fusing dumped scores: by file name, not of other clips, weights by validation."""

import os
import pickle
from dataclasses import replace

import mmengine
import numpy as np
import pytest
import torch
from scipy.special import softmax

from repflow_mm.commands import fuse_scores
from repflow_mm.study.score_fusion import aligned, chosen_weights, fused, read_scores


def dump(path, scores, labels, names=None):
    samples = [
        dict(
            pred_score=torch.tensor(score, dtype=torch.float32),
            gt_label=torch.tensor([label]),
            img_shape=(4, 4),
        )
        for score, label in zip(scores, labels, strict=True)
    ]
    for sample, name in zip(samples, names or (), strict=False):
        sample['filename'] = name
    mmengine.dump(samples, path)
    return str(path)


@pytest.fixture
def tests(tmp_path):
    """Two networks that are right on two of three clips each."""
    first = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1]
    second = [[0.1, 0.9], [0.6, 0.4], [0.1, 0.9]], [1, 0, 1]
    return [
        dump(tmp_path / 'rgb.pkl', *first, ['a', 'b', 'c']),
        dump(tmp_path / 'flow.pkl', *second, ['c', 'a', 'b']),
    ]


def test_scores_are_fused_by_name(tests):
    pair = aligned([read_scores(file) for file in tests])
    assert pair[1].names == ('a', 'b', 'c')
    np.testing.assert_allclose(pair[1].scores[:, 1], [0.4, 0.9, 0.9], rtol=1e-6)
    result = fused(pair, (1, 3), False)
    np.testing.assert_allclose(result.scores[0], [0.675, 0.325], rtol=1e-6)
    assert result.accuracy()['top-1'] == 1
    shifted = [replace(test, scores=test.scores * 3) for test in pair]
    logits = fused(shifted, (1, 1), True)
    np.testing.assert_allclose(logits.scores.sum(1), 1)


def test_what_one_test_could_not_read_is_wrong(tmp_path):
    names = ['a', 'b', 'c']
    good = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]
    # As UnreadableSample has it.
    bad = [[0.9, 0.1], [0.2, 0.8], [0.9, -0.9]]
    files = [tmp_path / name for name in ('good.pkl', 'bad.pkl')]
    for file, scores in zip(files, (good, bad), strict=True):
        dump(file, scores, [0, 1, 1], names)
    samples = mmengine.load(files[1])
    samples[2]['bad_videos'] = [('c', 'truncated')]
    mmengine.dump(samples, files[1])
    pair = aligned([read_scores(file) for file in files])  # both are probabilities
    result = fused(pair, (9, 1), False)
    assert result.unreadable.tolist() == [False, False, True]
    assert (result.scores.argmax(1) == result.labels).tolist() == [True, True, False]
    # Written, and fused with a third one.
    out = tmp_path / 'out.pkl'
    fuse_scores.main([*map(str, files), '--out', str(out)])
    again = aligned([read_scores(file) for file in (out, files[0])])
    assert again[0].unreadable.tolist() == [False, False, True]


def test_samples_of_mmaction2_1_1(tests, tmp_path):
    old = [
        dict(
            pred_scores=dict(item=sample['pred_score']),
            gt_labels=dict(item=sample['gt_label']),
        )
        for sample in mmengine.load(tests[0])
    ]
    mmengine.dump(old, tmp_path / 'old.pkl')
    scores, same = (read_scores(f) for f in (tmp_path / 'old.pkl', tests[0]))
    np.testing.assert_array_equal(scores.scores, same.scores)
    np.testing.assert_array_equal(scores.labels, same.labels)


def test_the_command_prints_and_writes(tests, tmp_path, capsys):
    out = tmp_path / 'fused.pkl'
    fuse_scores.main([*tests, '--weights', '1', '3', '--out', str(out)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == f'| {tests[0]} | 0.25 | 66.67 | 100.00 | 75.00 |'
    assert lines[3] == f'| {tests[1]} | 0.75 | 100.00 | 100.00 | 100.00 |'
    assert lines[4] == '| fused |  | 100.00 | 100.00 | 100.00 |'
    written = read_scores(out)
    assert written.names == ('a', 'b', 'c') and written.labels.tolist() == [0, 1, 1]
    np.testing.assert_allclose(written.scores[0], [0.675, 0.325], rtol=1e-6)


def test_dumps_without_names_are_mmaction2s(tmp_path, capsys):
    files = [
        dump(tmp_path / f'{n}.pkl', np.random.rand(4, 7), [3, 2, 1, 0]) for n in 'ab'
    ]
    fuse_scores.main(files)
    assert 'do not name their clips' in capsys.readouterr().out
    files[1] = dump(tmp_path / 'b.pkl', np.random.rand(4, 7), [3, 2, 0, 1])
    with pytest.raises(ValueError, match='have different labels'):
        aligned([read_scores(file) for file in files])


def test_clips_without_labels_have_scores_and_no_accuracy(tests, tmp_path, capsys):
    scores = [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]
    bare = dump(tmp_path / 'bare.pkl', scores, [-1, -1], ['a', 'b'])
    samples = mmengine.load(bare)
    samples[0]['bad_videos'] = [('a', 'could not be read')]
    mmengine.dump(samples, bare)
    out = tmp_path / 'fused.pkl'
    fuse_scores.main([bare, bare, '--out', str(out)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == [
        f'| {bare} | 0.50 | - | - | - |',
        f'| {bare} | 0.50 | - | - | - |',
        '| fused |  | - | - | - |',
        '',
        '2 clips, without labels.',
    ]
    np.testing.assert_allclose(read_scores(out).scores, scores, rtol=1e-6)
    for args, message in (
        ([bare, bare], 'has clips without labels, so there is no accuracy'),
        ([*tests, '--validation', bare, bare], 'choose weights on a split that has'),
    ):
        with pytest.raises(SystemExit):
            fuse_scores.main(args)
        assert message in capsys.readouterr().err


def test_weights_are_chosen_on_other_clips_alone(tests, tmp_path):
    pair = aligned([read_scores(file) for file in tests])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    good = softmax(np.eye(2)[labels] + rng.normal(0, 0.5, (200, 2)), 1)
    bad = softmax(np.eye(2)[labels] + rng.normal(0, 2, (200, 2)), 1)
    names = [f'v{n}' for n in range(200)]
    files = [
        dump(tmp_path / f'{n}.pkl', scores, labels, names)
        for n, scores in enumerate((bad, good))
    ]
    validation = aligned([read_scores(file) for file in files])
    first, second = chosen_weights(validation, pair, False)
    assert second > first and first + second == 1
    best = max(
        fused(validation, (1 - w, w), False).accuracy()['top-1']
        for w in np.linspace(0, 1, 21)
    )
    assert fused(validation, (first, second), False).accuracy()['top-1'] == best
    same = [validation[0], validation[0]]
    assert chosen_weights(same, pair, False) == (0.5, 0.5)
    with pytest.raises(ValueError, match=r'rgb\.pkl has clips of .*rgb\.pkl'):
        chosen_weights(pair, pair, False)
    logits = [replace(test, scores=test.scores * 9) for test in pair]
    with pytest.raises(ValueError, match='one holds probabilities and one logits'):
        chosen_weights([replace(t, names=('x', 'y', 'z')) for t in logits], pair, False)


class Evil:
    def __reduce__(self):
        return os.mkdir, ('evil',)


def test_what_is_refused(tests, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rgb, flow = tests
    other = dump(tmp_path / 'other.pkl', [[1, 0]] * 3, [0, 1, 1], ['a', 'b', 'd'])
    label = dump(tmp_path / 'label.pkl', [[1, 0]] * 3, [0, 1, 0], ['a', 'b', 'c'])
    classes = dump(
        tmp_path / 'classes.pkl', [[1, 0, 0]] * 3, [0, 1, 1], ['a', 'b', 'c']
    )
    twice = dump(tmp_path / 'twice.pkl', [[1, 0]] * 3, [0, 1, 1], ['a', 'b', 'b'])
    nameless = dump(tmp_path / 'nameless.pkl', [[1, 0]] * 3, [0, 1, 1])
    logits = dump(tmp_path / 'logits.pkl', [[2, -1]] * 3, [0, 1, 1], ['a', 'b', 'c'])
    nan = dump(tmp_path / 'nan.pkl', [[1, float('nan')]] * 3, [0, 1, 1])
    for name, content in (('text', 'x'), ('evil', Evil())):
        (tmp_path / f'{name}.pkl').write_bytes(pickle.dumps(content))
    for args, message in (
        ([rgb], 'at least two networks'),
        ([rgb, flow, '--out', flow], 'would be overwritten'),
        ([rgb, flow, '--weights', '1e308', '1e308'], '2 numbers here, not all 0'),
        ([rgb, 'nope.pkl'], 'there are no scores at nope.pkl'),
        ([rgb, other], 'of different clips: 2 are in only one (first: c)'),
        ([rgb, label], 'have different labels'),
        ([rgb, classes], 'different numbers of classes: 2 and 3'),
        ([rgb, twice], 'of different clips: 2 are in only one (first: b (2))'),
        ([rgb, nameless], 'one does not name its clips'),
        ([rgb, nan], 'not finite numbers'),
        ([rgb, logits], 'one holds probabilities and one logits'),
        ([rgb, 'text.pkl'], 'holds no scores'),
        ([rgb, 'evil.pkl'], 'it pickles posix.mkdir'),
        ([rgb, flow, '--weights', '1'], '--weights takes 2 numbers'),
        ([rgb, flow, '--weights', '0', '0'], 'not all 0'),
        ([rgb, flow, '--softmax'], 'already holds probabilities'),
        ([rgb, flow, '--validation', rgb, flow], 'choose weights on another split'),
        ([rgb, flow, '--out', str(tmp_path)], 'is a folder'),
    ):
        with pytest.raises(SystemExit) as stop:
            fuse_scores.main(args)
        error = capsys.readouterr().err
        assert stop.value.code == 2 and error.startswith('error: ')
        assert message in error and error.count('\n') == 1
    assert not (tmp_path / 'evil').exists()
