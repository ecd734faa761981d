"""Weizmann and UT-Interaction: no person or sequence is in both parts of a split."""

import re

import pytest

from repflow_mm.class_names import class_names
from repflow_mm.commands.prepare_data import main
from repflow_mm.errors import InputError
from repflow_mm.preparation import ut_interaction, weizmann
from tests.helpers.configs import FOLDER
from tests.helpers.paths import REAL_VIDEOS


def touch(root, *paths: str):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def paths(made, dataset: str, part: str, fold: str) -> set[str]:
    return {s.path for s in made.lists[f'{dataset}_{part}_split_{fold}_videos.txt']}


@pytest.mark.parametrize('layout', ['{p}_{c}.avi', '{c}/{p}_{c}.avi'])
def test_weizmann_leaves_each_person_out_once(tmp_path, layout):
    names = class_names('weizmann')
    every = {layout.format(p=p, c=c) for p in weizmann.PERSONS for c in names}
    made = weizmann.plan(touch(tmp_path, *every))
    assert len(made.lists) == 18 and not made.problems
    for person in weizmann.PERSONS:
        train, val = (paths(made, 'weizmann', p, person) for p in ('train', 'val'))
        assert val == {path for path in every if f'{person}_' in path}
        assert train == every - val
    for sample in made.samples():
        assert sample.path.endswith(f'_{names[sample.label]}.avi')


def test_weizmanns_second_clips_and_what_is_none_of_it(tmp_path):
    root = touch(
        tmp_path,
        *('lena_run1.avi', 'lena_run2.avi', 'eli_wave1.avi', 'Ido_Walk.avi'),
        *('run/lena_walk.avi', 'bob_run.avi', 'readme.txt', 'run/lena_run1.avi'),
    )
    made = weizmann.plan(root)
    labels = {s.path: class_names('weizmann')[s.label] for s in made.samples()}
    assert labels == {
        'lena_run1.avi': 'run',
        'lena_run2.avi': 'run',
        'eli_wave1.avi': 'wave1',
        'Ido_Walk.avi': 'walk',
    }
    told = {p.what: p.kind for p in made.problems if p.kind != 'missing'}
    assert told == {
        'run/lena_walk.avi': 'in the wrong folder',
        'bob_run.avi': 'unknown',
        'readme.txt': 'no video',
        'run/lena_run1.avi': 'there twice',
    }
    assert sum(p.kind == 'missing' for p in made.problems) == 90 - 3


def official(order: str, per_set: int = 60):
    """Official names; `order` determines which number comes first."""
    for number in (1, 2):
        for clip in range(per_set):
            sequence = clip // 6 + (1 if number == 1 else 11)
            first, second = (clip, sequence) if order == 'clip' else (sequence, clip)
            yield f'segmented_set{number}/{first}_{second}_{clip % 6}.avi'


def in_classes():
    names = class_names('ut_interaction')
    for path in official('sequence'):
        number, sequence, clip, label = map(int, re.findall(r'\d+', path))
        yield f'{names[label]}/set{number}_seq{sequence:02d}_{clip:03d}.avi'


@pytest.mark.parametrize(
    'files', [official('clip'), official('sequence'), in_classes()], ids=range(3)
)
def test_ut_interactions_sequences_and_sets(tmp_path, files):
    made = ut_interaction.plan(touch(tmp_path, *files))
    assert len(made.lists) == 44 and not made.problems
    name = 'ut_interaction'
    one, two = (paths(made, name, p, 'set1_to_set2') for p in ('train', 'val'))
    assert len(one) == len(two) == 60
    assert all('set1' in path for path in one) and all('set2' in path for path in two)
    assert paths(made, name, 'val', 'set2_to_set1') == one
    seen = set()
    for sequence in range(11, 21):
        fold = f'set2_seq{sequence}'
        train, val = (paths(made, name, p, fold) for p in ('train', 'val'))
        assert len(val) == 6 and train == two - val
        seen |= val
    assert seen == two
    first = made.lists['ut_interaction_val_split_set1_seq01_videos.txt']
    assert sorted(sample.label for sample in first) == list(range(6))


def test_one_set_alone_has_its_own_splits(tmp_path):
    files = (path for path in official('clip', 12) if 'set2' in path)
    made = ut_interaction.plan(touch(tmp_path, *files) / 'segmented_set2')
    assert len(made.lists) == 20
    assert len(paths(made, 'ut_interaction', 'train', 'set2_seq11')) == 6
    missing = [f'set2_seq{sequence}' for sequence in range(13, 21)]
    assert [p.what for p in made.problems if p.kind == 'missing'] == missing


def test_what_is_no_ut_interaction(tmp_path):
    touch(tmp_path, 'set1/a.avi', 'kick/set1_seq11_001.avi', 'kick/1.avi')
    with pytest.raises(InputError, match=r'no video of UT-Interaction .*\(3 other vid'):
        ut_interaction.plan(tmp_path)
    with pytest.raises(InputError, match='no video of Weizmann below'):
        weizmann.plan(tmp_path)
    touch(tmp_path, 'set1/0_1_4.avi')
    with pytest.raises(InputError, match='cannot be told from 1 videos in'):
        ut_interaction.plan(tmp_path)


@pytest.mark.parametrize(
    ('dataset', 'variable', 'split'),
    [
        ('weizmann', 'WEIZMANN_SPLIT', 'eli'),
        ('ut_interaction', 'UT_INTERACTION_SPLIT', 'set2_seq13'),
    ],
)
def test_one_option_chooses_the_split(monkeypatch, dataset, variable, split):
    from mmengine.config import Config

    monkeypatch.setenv(variable, split)
    cfg = Config.fromfile(FOLDER / '_base_' / 'datasets' / f'{dataset}.py')
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        data = cfg[f'{loader}_dataloader'].dataset
        name = f'data/{dataset}/{dataset}_{part}_split_{split}_videos.txt'
        assert data.ann_file == name
        assert data.data_prefix.video == f'data/{dataset}/videos'


@pytest.mark.skipif(not REAL_VIDEOS.is_dir(), reason='the real datasets are not here')
@pytest.mark.parametrize(
    ('dataset', 'clips', 'lists', 'fold'),
    [('weizmann', 90, 18, 'eli'), ('ut_interaction', 120, 44, 'set1_to_set2')],
)
def test_the_real_videos(tmp_path, capsys, dataset, clips, lists, fold):
    name = dataset.replace('_', '-')
    options = [
        '--videos',
        str(REAL_VIDEOS / dataset),
        '--out',
        str(tmp_path),
        '--no-check',
    ]
    main([name, *options])
    assert 'nothing was left out' in capsys.readouterr().out
    assert len(list(tmp_path.glob('*_videos.txt'))) == lists
    train, val = (
        (tmp_path / f'{dataset}_{part}_split_{fold}_videos.txt').read_text()
        for part in ('train', 'val')
    )
    listed = [line.rpartition(' ') for line in (train + val).splitlines()]
    assert len({path for path, _, _ in listed}) == len(listed) == clips
    names = class_names(dataset)
    assert all(path.split('/')[0] == names[int(label)] for path, _, label in listed)
