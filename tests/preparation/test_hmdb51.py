"""The HMDB51 lists match the official splits."""

import pytest

from repflow_mm.class_names import class_names
from repflow_mm.preparation.hmdb51 import match, plan, read_splits

NAMES = class_names('hmdb51')
# As they occur, and one with a space.
ODD = ('#20_Rhythm;_&!(1)_u_nm.avi', 'a b-c_ba_goo_0.avi', 'x_1.avi', 'x_2.avi')
# Flags of the four in the splits 1, 2, 3.
FLAGS = ((1, 2, 0), (2, 1, 1), (0, 0, 2), (1, 1, 1))


@pytest.fixture
def splits(tmp_path):
    folder = tmp_path / 'annotations' / 'testTrainMulti_7030_splits'
    folder.mkdir(parents=True)
    for name in NAMES:
        for split in range(3):
            text = ''.join(
                f'{name}_{odd} {flags[split]} \n'
                for odd, flags in zip(ODD, FLAGS, strict=True)
            )
            (folder / f'{name}_test_split{split + 1}.txt').write_text(text)
    return folder.parent


def videos(root, name: str, inside: str = ''):
    folder = root / name / inside
    folder.mkdir(parents=True)
    for odd in ODD:
        (folder / f'{name}_{odd}').touch()
    return folder


def test_the_class_list():
    assert len(NAMES) == 51 and NAMES == sorted(set(NAMES))


def test_three_splits_of_all_classes(tmp_path, splits):
    root = tmp_path / 'videos'
    for name in NAMES:
        videos(root, name, inside=name if name.startswith('s') else '')
    made = plan(root, splits)
    assert not made.problems
    counts = {name: len(samples) for name, samples in made.lists.items()}
    assert counts == {
        'hmdb51_train_split_1_videos.txt': 102,
        'hmdb51_val_split_1_videos.txt': 51,
        'hmdb51_train_split_2_videos.txt': 102,
        'hmdb51_val_split_2_videos.txt': 51,
        'hmdb51_train_split_3_videos.txt': 102,
        'hmdb51_val_split_3_videos.txt': 51,
    }
    val = {s.path: s.label for s in made.lists['hmdb51_val_split_1_videos.txt']}
    assert val['brush_hair/brush_hair_a b-c_ba_goo_0.avi'] == 0
    assert val['sit/sit/sit_a b-c_ba_goo_0.avi'] == NAMES.index('sit')


def test_what_is_missing_says_why(tmp_path, splits):
    root = tmp_path / 'videos'
    (videos(root, 'wave') / f'wave_{ODD[0]}').unlink()
    (root / 'catch.rar').touch()
    made = plan(root, splits)
    why = {problem.what: problem.why for problem in made.problems}
    assert len(why) == len(made.problems) == 50 * 4 + 2
    assert why['catch.rar'] == '.rar is not the suffix of a video'
    assert why[f'wave/wave_{ODD[0]}'] == f'not in {root}/wave'
    assert why['catch/catch_x_1.avi'] == 'catch.rar is not unpacked'
    assert why['chew/chew_x_1.avi'] == f'no folder {root}/chew'


def test_names_that_unpackers_and_converters_changed():
    asked = ['a;b#.avi', 'c.avi', 'd-1.avi', 'd_1.avi', 'e&1.avi']
    there = ['k/a_b.mp4', 'k/c.mkv', 'k/k/c.avi', 'k/d 1.avi', 'k/e_1.avi', 'k/e1.avi']
    # d 1 and e... could be either of two: not guessed.
    assert match(asked, there) == {'a;b#.avi': 'k/a_b.mp4', 'c.avi': 'k/k/c.avi'}
    # A copy in the nested folder is the same video.
    assert match(['c.avi'], ['k/k/c.avi', 'k/c.avi']) == {'c.avi': 'k/c.avi'}


def test_wrong_folders(tmp_path, splits):
    with pytest.raises(FileNotFoundError, match='153 of the 153 split files, such as'):
        read_splits(tmp_path)
    with pytest.raises(FileNotFoundError, match='no folder .*/videos: give'):
        plan(tmp_path / 'videos', splits)
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'wave.rar').touch()
    match = r'no video of HMDB51 below .*0 other videos and 1 \.rar files are there'
    with pytest.raises(ValueError, match=match):
        plan(tmp_path / 'videos', splits)
    videos(tmp_path / 'videos', 'wave')
    videos(tmp_path / 'videos', 'Wave')
    with pytest.raises(ValueError, match='Wave and wave, which are both the class'):
        plan(tmp_path / 'videos', splits)


@pytest.mark.parametrize('line', ['a.avi', 'a.avi 3', 'a.txt 1', '1', 'a.avi1'])
def test_a_wrong_line(splits, line):
    path = splits / 'testTrainMulti_7030_splits' / 'wave_test_split2.txt'
    path.write_text(f'a.avi 1\n\n{line}\n')
    with pytest.raises(ValueError, match=r'wave_test_split2\.txt, line 3: expected'):
        read_splits(splits)
    path.write_bytes(b'Rar!\x1a\xff')
    with pytest.raises(ValueError, match='is not text'):
        read_splits(splits)
