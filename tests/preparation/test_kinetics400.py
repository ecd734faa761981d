"""Kinetics-400 in all common layouts."""

import pytest

from repflow_mm.class_names import class_names
from repflow_mm.preparation.kinetics400 import find_roots, match, plan
from repflow_mm.preparation.kinetics_csv import Clip, read_csv, read_csvs

NAMES = class_names('kinetics400')
HEADER = 'label,youtube_id,time_start,time_end,split,is_cc\n'
# IDs as YouTube has them: with `_`, `-` and what looks like time stamps.
TRAIN = [
    ('arm wrestling', 'a_12_345678', 1, 11),
    ('tying knot (not on a tie)', '-_x-y_z_1_2', 20, 30),
    ("massaging person's head", '_____00001_', 0, 10),
]
VAL = [('abseiling', '0123456_890', 123, 133), ('zumba', 'a_12_345678', 40, 50)]


def write_csv(path, rows, split: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ''.join(
        f'{label},{name},{start},{end},{split},0\n' for label, name, start, end in rows
    )
    path.write_text(HEADER + text)


@pytest.fixture
def csvs(tmp_path):
    write_csv(tmp_path / 'csv' / 'train.csv', TRAIN, 'train')
    write_csv(tmp_path / 'csv' / 'validate.csv', VAL, 'validate')
    return read_csvs([tmp_path / 'csv'])


def touch(root, *paths: str):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def listed(made) -> dict[str, dict[str, int]]:
    return {
        name.split('_')[1]: {sample.path: sample.label for sample in samples}
        for name, samples in made.lists.items()
    }


def kinds(made) -> list[tuple[str, str]]:
    return sorted((p.kind, p.what) for p in made.problems)


FOLDERS = {
    'flat': lambda label: '',
    'spaces': lambda label: f'{label}/',
    'underscores': lambda label: f'{label.replace(" ", "_")}/',
    'bare': lambda label: f'{label.title().replace("(", "").replace(")", "")}/',
}
FORMS = {
    'id': lambda name, start, end: f'{name}.mp4',
    'padded': lambda name, start, end: f'{name}_{start:06d}_{end:06d}.mkv',
    'short': lambda name, start, end: f'{name}_{start}_{end}.WEBM',
}
PARTS = {
    'mmaction2': ('videos_train/', 'videos_val/'),
    'cvdf': ('train/', 'val/'),
    'nested': ('videos/train/', 'videos/validate/'),
}


@pytest.mark.parametrize('folder', FOLDERS)
@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('parts', PARTS)
def test_every_layout_and_form(tmp_path, csvs, folder, form, parts):
    root, expected = tmp_path / 'k', {}
    for part, rows, where in zip(
        ('train', 'val'), (TRAIN, VAL), PARTS[parts], strict=True
    ):
        expected[part] = {}
        for label, *clip in rows:
            path = FOLDERS[folder](label) + FORMS[form](*clip)
            touch(root, where + path)
            expected[part][path] = NAMES.index(label)
    made = plan(root, csvs)
    assert listed(made) == expected
    assert not made.problems


@pytest.mark.parametrize('base', ['', 'videos/'])
def test_one_folder_for_both_parts(tmp_path, csvs, base):
    files = [f'{name}_{s:06d}_{e:06d}.mp4' for _, name, s, e in TRAIN + VAL]
    made = plan(touch(tmp_path / 'k', *(base + file for file in files)), csvs)
    assert {part: len(paths) for part, paths in listed(made).items()} == {
        'train': 3,
        'val': 2,
    }
    # One ID, two spans, two classes: the time stamps tell them apart.
    assert listed(made)['train']['a_12_345678_000001_000011.mp4'] == 6
    assert listed(made)['val']['a_12_345678_000040_000050.mp4'] == 399


def test_a_video_without_time_stamps_cannot_be_two_clips(tmp_path, csvs):
    made = plan(touch(tmp_path / 'k', 'a_12_345678.mp4', '0123456_890.mp4'), csvs)
    assert listed(made) == {'train': {}, 'val': {'0123456_890.mp4': 0}}
    ambiguous = [p for p in made.problems if p.kind == 'ambiguous']
    assert len(ambiguous) == 2
    assert 'a_12_345678.mp4 has no time stamps' in ambiguous[0].why


def test_missing_duplicate_misplaced_and_unused_videos_are_reported(tmp_path, csvs):
    root = touch(
        tmp_path / 'k',
        'train/arm wrestling/a_12_345678.mp4',
        'train/arm wrestling/a_12_345678_1_11.mp4',
        'train/arm wrestling/a_12_345678_000001_000011.mp4',
        'train/abseiling/_____00001_.mp4',
        'train/abseiling/other_video.mp4',
        'val/abseiling/0123456_890.mp4',
    )
    made = plan(root, csvs)
    assert listed(made) == {
        'train': {'arm wrestling/a_12_345678_000001_000011.mp4': 6},
        'val': {'abseiling/0123456_890.mp4': 0},
    }
    assert kinds(made) == [
        ('in the wrong folder', 'abseiling/_____00001_.mp4'),
        ('missing', 'tying knot (not on a tie)/-_x-y_z_1_2_000020_000030'),
        ('missing', 'zumba/a_12_345678_000040_000050'),
        ('there twice', 'arm wrestling/a_12_345678_1_11.mp4'),
        ('unused', f'{root}/train/abseiling/other_video.mp4'),
        ('unused', f'{root}/train/arm wrestling/a_12_345678.mp4'),
    ]


def test_other_time_stamps_are_another_clip():
    clip = Clip('a_12_345678', 1, 11, 6, 'train.csv')
    labels, (problem,) = match([clip], ['a_12_345678_000002_000012.mp4'], [clip])
    assert not labels and problem.kind == 'missing'


def test_class_folders_without_csvs(tmp_path):
    root = touch(
        tmp_path / 'k',
        'train/arm_wrestling/a.mp4',
        'train/Arm Wrestling/b.mp4',
        'train/replacement/c.mp4',
        'val/zumba/d.mp4',
    )
    made = plan(root, {})
    assert listed(made) == {
        'train': {'arm_wrestling/a.mp4': 6, 'Arm Wrestling/b.mp4': 6},
        'val': {'zumba/d.mp4': 399},
    }
    assert kinds(made) == [('unknown class', 'replacement/c.mp4')]
    with pytest.raises(FileNotFoundError, match='neither train.csv and validate.csv'):
        plan(root / 'train', {})


def test_every_class_is_found_from_its_folder(tmp_path):
    folders = [f'train/{name.replace(" ", "_")}/v.mp4' for name in NAMES]
    made = plan(touch(tmp_path, *folders, 'val/zumba/v.mp4'), {})
    assert sorted(listed(made)['train'].values()) == list(range(400))


def test_nothing_found_names_what_was_tried(tmp_path, csvs):
    root = touch(tmp_path / 'k', 'train/holiday.mp4', 'val/x.txt')
    match = (
        r'no video of Kinetics-400 in .*/k/train or .*/k/val \(tried \.mp4/.*, named '
        r'ID or ID_START_END, flat or in folders; 1 others, such as holiday\.mp4\)'
    )
    with pytest.raises(ValueError, match=match):
        plan(root, csvs)
    with pytest.raises(FileNotFoundError, match='no folder .*/nowhere: give'):
        plan(tmp_path / 'nowhere', csvs)


def test_two_folders_for_one_part(tmp_path):
    touch(tmp_path, 'train/a.mp4', 'videos_train/a.mp4')
    with pytest.raises(ValueError, match='may both be the train videos'):
        find_roots(tmp_path)


def test_a_link_to_the_folder_of_a_part_is_that_folder(tmp_path, csvs):
    root = touch(tmp_path / 'k', 'train/-_x-y_z_1_2.mp4', 'val/0123456_890.mp4')
    (root / 'videos_train').symlink_to('train')
    assert find_roots(root)['train'] == root / 'videos_train'
    assert listed(plan(root, csvs))['train'] == {'-_x-y_z_1_2.mp4': 369}


@pytest.mark.parametrize(
    'text, message',
    [
        ('id,label\nx,zumba\n', 'has no column youtube_id, time_start, time_end'),
        ('', 'has no column label'),
        (HEADER + 'acting in play,x,1,11,train,0\n', "line 2: 'acting in play' is no"),
        (HEADER + 'zumba,x,1,11,validate,0\n', "line 2: the split is 'validate'"),
        (HEADER + 'zumba,x,one,11,train,0\n', "should be seconds, got 'one'"),
        (HEADER + 'zumba,,1,11,train,0\n', 'line 2: no youtube_id'),
        (HEADER + 'zumba\n', 'the split is None, where train'),
        (
            HEADER + 'zumba,x,1,11,train,0\nabseiling,x,1,11,train,0\n',
            'line 3: x_000001_000011 has another class in an earlier line',
        ),
        (b'\xff\xfe\x00', 'is not a CSV file'),
    ],
)
def test_a_wrong_csv(tmp_path, text, message):
    path = tmp_path / 'train.csv'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_csv(path, 'train')


def test_a_csv_with_a_byte_order_mark_fractions_and_a_duplicate_line(tmp_path):
    path = tmp_path / 'train.csv'
    line = 'zumba,x,1.0,11.0\r\n'
    header = 'label,youtube_id,time_start,time_end\r\n'
    path.write_text(header + line + line, encoding='utf-8-sig', newline='')
    assert read_csv(path, 'train') == [Clip('x', 1, 11, 399, 'train.csv')]


def test_csvs_of_mmaction2_and_half_a_set(tmp_path):
    write_csv(tmp_path / 'kinetics_train.csv', TRAIN, 'train')
    with pytest.raises(FileNotFoundError, match='no validate.csv next to it'):
        read_csvs([tmp_path / 'none', tmp_path])
    write_csv(tmp_path / 'kinetics_val.csv', VAL, 'val')
    write_csv(tmp_path / 'kinetics_test.csv', VAL, 'test')
    assert [len(clips) for clips in read_csvs([tmp_path]).values()] == [3, 2]
    write_csv(tmp_path / 'val.csv', VAL, 'val')
    with pytest.raises(ValueError, match='may both be the CSV of the val'):
        read_csvs([tmp_path])
    assert read_csvs([tmp_path / 'none']) == {}
