"""Custom videos: each class is split separately and deterministically."""

import os

import pytest

from repflow_mm.errors import InputError
from repflow_mm.preparation.plan import Problem, lines, write_texts
from repflow_mm.preparation.video_files import find_videos
from repflow_mm.preparation.video_folder import plan, split


def fill(root, **counts: int):
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (root / name / f'{index:03d}.mp4').touch()
    return root


def lists(root, share=0.2, seed=0) -> dict[str, list[str]]:
    made = split(plan(root), share, seed)
    return {name: lines(samples) for name, samples in made.lists.items()}


def of_class(made: dict[str, list[str]], name: str) -> dict[str, set[str]]:
    """Paths without labels, of one class."""
    return {
        part: {line.split(' ')[0] for line in of if line.startswith(f'{name}/')}
        for part, of in made.items()
    }


def test_each_class_is_split_and_nothing_lost(tmp_path):
    made = lists(fill(tmp_path, a=20, b=10, c=2, d=3))
    counts = {n: [len(of_class(made, n)[p]) for p in made] for n in 'abcd'}
    assert counts == {'a': [16, 4], 'b': [8, 2], 'c': [1, 1], 'd': [2, 1]}
    both = [*made['train.txt'], *made['val.txt']]
    assert len(set(both)) == 35
    assert {line.rpartition(' ')[2] for line in both} == set('0123')


def test_the_split_is_known_and_follows_the_seed(tmp_path):
    root = fill(tmp_path, a=10)
    # A changed value here changes everybody's split.
    assert lists(root)['val.txt'] == ['a/000.mp4 0', 'a/008.mp4 0']
    assert lists(root, seed=1)['val.txt'] != lists(root)['val.txt']
    assert len(lists(root, share=0.99)['train.txt']) == 1


def test_other_classes_do_not_reshuffle_and_one_more_video_moves_few(tmp_path):
    before = lists(fill(tmp_path, b=40, c=30))
    after = lists(fill(tmp_path, a=5, b=41, c=30))
    assert of_class(after, 'c') == of_class(before, 'c')
    moved = of_class(after, 'b')['val.txt'] ^ of_class(before, 'b')['val.txt']
    assert len(moved) <= 2


def test_the_order_of_the_disk_does_not_matter(tmp_path, monkeypatch):
    root = fill(tmp_path, a=9, b=9)
    expected = lists(root)
    walk = os.walk

    def reversed_walk(*args, **options):
        for folder, folders, files in walk(*args, **options):
            folders.reverse()
            files.reverse()
            yield folder, folders, files

    monkeypatch.setattr(os, 'walk', reversed_walk)
    assert lists(root) == expected


def test_a_class_of_one_and_what_is_no_class(tmp_path):
    root = fill(tmp_path, a=1, b=3, empty=0)
    (root / 'x.mp4').touch()
    (root / 'c').symlink_to(root / 'b')
    made = split(plan(root), 0.2, 0)
    assert {(p.kind, p.what) for p in made.problems} == {
        ('too small a class', 'a'),
        ('in no class folder', 'x.mp4'),
        ('not a class', 'empty'),
        ('not a class', 'c'),
    }
    assert 'it is the folder b' in {p.why for p in made.problems}
    assert 'a/000.mp4 0' in lines(made.lists['train.txt'])


def test_a_clip_in_two_formats_is_listed_once(tmp_path):
    for name in ('run/7.avi', 'run/7.mp4', 'run/8.mp4', 'walk/7.mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = plan(tmp_path)
    assert [s.path for s in found.samples()] == ['run/7.avi', 'run/8.mp4', 'walk/7.mp4']
    (problem,) = found.problems
    assert problem == Problem('there twice', 'run/7.mp4', 'it is run/7.avi, too')


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match='no folder .*/nowhere: give'):
        plan(tmp_path / 'nowhere')
    (tmp_path / 'x.mp4').touch()
    match = r'no video in a class folder .*\(1 videos are next to.*CLASS/VIDEO\.mp4'
    with pytest.raises(ValueError, match=match):
        plan(tmp_path)
    fill(tmp_path, **{'Arm wrestling': 1, 'arm_wrestling': 1})
    with pytest.raises(ValueError, match="'Arm wrestling' and 'arm_wrestling', which"):
        plan(tmp_path)


def test_every_suffix_that_players_play(tmp_path):
    names = 'mov MOV m4v mpg mpeg flv WMV ts m2ts 3gp ogv webm mkv avi mp4'.split()
    for name in names:
        (tmp_path / f'{name}.{name}').touch()
    videos, problems = find_videos(tmp_path)
    assert len(videos) == len(names) and not problems


def test_every_other_file_is_reported_by_its_suffix(tmp_path):
    root = fill(tmp_path, a=1, b=1)
    for name in ('a/1.heic', 'a/2.HEIC', 'a/notes', 'b/1.gif', '.DS_Store'):
        (root / name).touch()
    (root / os.fsdecode(b'b/1.fran\xe7ais')).touch()  # as an old archive unpacks
    assert {(p.kind, p.what, p.why) for p in plan(root).problems} == {
        (
            'no video',
            'a/1.heic',
            '.heic is not the suffix of a video; 1 more such files beside it',
        ),
        ('no video', 'a/notes', 'it has no suffix'),
        ('no video', 'b/1.gif', '.gif is not the suffix of a video'),
        (
            'no video',
            r"'b/1.fran\udce7ais'",
            r"'.fran\udce7ais' is not the suffix of a video",
        ),
    }


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('run/1.gif', r'1\.gif: \.gif is not the suffix of a video'),
        ('run/deep/leads_nowhere.mp4', 'dangling link'),
        (' run/1.mp4', 'cannot begin with a space'),
    ],
)
def test_a_class_without_listable_files_is_an_error(tmp_path, name, reason):
    root = fill(tmp_path, jump=1, walk=1)
    (root / name).parent.mkdir(parents=True)
    if 'nowhere' in name:
        (root / name).symlink_to('nowhere')
    else:
        (root / name).touch()
    with pytest.raises(InputError, match=f'run.*{reason}.*labels of others would'):
        plan(root)
    # A second way to a folder that is there, and an empty one, are no classes.
    (root / name).unlink()
    (root / name).parent.rmdir()
    (root / 'back').symlink_to(root)
    assert plan(root).texts == {'classes.txt': ['jump', 'walk']}


def test_names_that_no_list_can_hold(tmp_path):
    root = fill(tmp_path, a=1)
    (root / ' b').mkdir()
    (root / ' b' / 'x.mp4').touch()
    (root / 'a' / 'line\nbreak.mp4').touch()
    (root / 'a' / '.hidden.mp4').touch()
    (root / 'a' / 'leads_nowhere.mp4').symlink_to('nowhere')
    (root / 'a' / 'back').symlink_to(root)
    with open(os.fsencode(root / 'a') + b'/\xff.mp4', 'w'):
        pass
    videos, problems = find_videos(root)
    assert videos == ['a/000.mp4']
    assert [p.what for p in sorted(problems)] == [
        "' b/x.mp4'",
        "'a/\\udcff.mp4'",
        "'a/leads_nowhere.mp4'",
        "'a/line\\nbreak.mp4'",
    ]


def test_texts_are_written_as_a_whole(tmp_path):
    write_texts(tmp_path / 'new', {'a.txt': ['1', '2'], 'b.txt': []})
    assert (tmp_path / 'new' / 'a.txt').read_bytes() == b'1\n2\n'
    assert sorted(os.listdir(tmp_path / 'new')) == ['a.txt', 'b.txt']
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='/file/x: .*/file is a file, not a folder'):
        write_texts(tmp_path / 'file' / 'x', {'a.txt': []})
    (tmp_path / 'new' / 'c.txt').mkdir()
    with pytest.raises(
        ValueError, match='/new/c.txt cannot be written .it is a folder'
    ):
        write_texts(tmp_path / 'new', {'c.txt': []})
