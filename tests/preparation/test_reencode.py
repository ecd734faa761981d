"""Copies are smaller, complete, and never overwrite other files."""

import hashlib
import os
import shutil
from pathlib import Path

import cv2
import pytest
from filelock import FileLock

from repflow_mm.errors import InputError
from repflow_mm.preparation.plan import Plan, Sample
from repflow_mm.preparation.reencode import find_ffmpeg, reencode_plan
from tests.preparation.test_check_videos import encode


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch) -> str:
    """The wheel's ffmpeg, on the PATH."""
    program = pytest.importorskip('imageio_ffmpeg').get_ffmpeg_exe()
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'ffmpeg').symlink_to(program)
    path = f'{tmp_path / "bin"}{os.pathsep}{os.environ["PATH"]}'
    monkeypatch.setenv('PATH', path)
    return shutil.which('ffmpeg')


def sizes(path: Path) -> tuple[int, int, int]:
    """Frames, height, width."""
    video = cv2.VideoCapture(str(path))
    keys = cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH
    return tuple(int(video.get(key)) for key in keys)


def state(root: Path) -> dict:
    """Every file's bytes and time."""
    return {
        str(path): (hashlib.md5(path.read_bytes()).digest(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def test_sizes_paths_and_resuming(tmp_path, ffmpeg, capsys):
    source, target = tmp_path / 'videos', tmp_path / 'small'
    shapes = {
        'a b/#w;&!(1)%d.avi': (96, 160),
        'high.mp4': (130, 98),
        'tiny.mp4': (36, 50),
    }
    for path, size in shapes.items():
        encode(source / 'train' / path, size=size)
    (source / 'train' / 'broken.mp4').write_text('no video')
    names = [*shapes, 'broken.mp4']
    plan = Plan({'x': [Sample(source / 'train', path, 3) for path in names]})
    before = state(source)

    def run(short_side=64):
        return reencode_plan(plan, ffmpeg, source, target, short_side, 2)

    made = run()
    assert state(source) == before
    assert made.lists['x'] == [
        Sample(target / 'train', path, 3)
        for path in ('a b/#w;&!(1)%d.mp4', 'high.mp4', 'tiny.mp4')
    ]
    assert [sizes(Path(sample.file)) for sample in made.lists['x']] == [
        (8, 64, 106),
        (8, 84, 64),
        (8, 36, 50),  # never enlarged
    ]
    (problem,) = made.problems
    assert problem.kind == 'not re-encoded' and 'ffmpeg: ' in problem.why
    assert {path.name for path in target.glob('.*')} <= {'.lock'}

    copies = state(target / 'train')
    assert run() == made and state(target / 'train') == copies
    assert '3 videos were re-encoded before' in capsys.readouterr().out
    # What is not as it was made is made again, and comes out the same.
    (target / 'train' / 'high.mp4').write_text('')
    (target / 'train' / 'tiny.mp4').unlink()
    os.utime(source / 'train' / 'a b' / '#w;&!(1)%d.avi', (1, 1))
    assert run() == made
    again = state(target / 'train')
    assert {k: v[0] for k, v in again.items()} == {k: v[0] for k, v in copies.items()}
    assert all(again[path][1] > copies[path][1] for path in copies)
    assert sizes(Path(run(short_side=32).lists['x'][0].file)) == (8, 32, 54)


def test_two_videos_never_share_a_copy(tmp_path, ffmpeg):
    for name in ('a.avi', 'a.mp4'):
        encode(tmp_path / 'videos' / name)
    samples = [Sample(tmp_path / 'videos', name, 0) for name in ('a.mp4', 'a.avi')]
    plan = Plan({'x': samples})
    made = reencode_plan(plan, ffmpeg, tmp_path / 'videos', tmp_path / 'small', 16, 2)
    assert made.lists['x'] == [Sample(tmp_path / 'small', 'a.mp4', 0)]
    (problem,) = made.problems
    assert problem.what.endswith('a.mp4') and problem.why.endswith('/videos/a.avi')


def test_where_copies_cannot_be(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(FileNotFoundError, match='no ffmpeg on the PATH: install it'):
        find_ffmpeg(tmp_path, tmp_path / 'small', 64)
    monkeypatch.setattr(shutil, 'which', lambda name: name)
    videos = tmp_path / 'videos'
    (videos / 'deep').mkdir(parents=True)
    for target in (videos, videos / 'deep' / 'small', videos / 'deep' / '..'):
        with pytest.raises(ValueError, match='cannot be in .*, the folder of the vid'):
            find_ffmpeg(videos, target, 64)
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'film.mp4').touch()
    with pytest.raises(ValueError, match='mine holds files that this command did not'):
        find_ffmpeg(videos, tmp_path / 'mine', 64)
    with pytest.raises(ValueError, match='is not a folder: give --reencode-to another'):
        find_ffmpeg(videos, tmp_path / 'mine' / 'film.mp4', 64)
    # Killed before the record was begun.
    (tmp_path / 'small' / '.half_made').mkdir(parents=True)
    assert find_ffmpeg(videos, tmp_path / 'small', 64) == 'ffmpeg'


def test_copies_that_other_lists_may_name_are_not_replaced(tmp_path, ffmpeg):
    for folder in ('train', 'test'):
        encode(tmp_path / folder / 'run' / '1.mp4')
    small = tmp_path / 'small'
    plan = Plan({'x': [Sample(tmp_path / 'train', 'run/1.mp4', 0)]})
    find_ffmpeg(tmp_path / 'train', small, 16)
    reencode_plan(plan, ffmpeg, tmp_path / 'train', small, 16, 1)
    assert find_ffmpeg(tmp_path / 'train', small, 16) == ffmpeg
    for source, short_side in (('test', 16), ('train', 32)):
        with pytest.raises(InputError, match=r'other copies.*1.mp4 \(short side 16'):
            find_ffmpeg(tmp_path / source, small, short_side)


def test_one_process_at_a_time_makes_copies(tmp_path, ffmpeg):
    source, small = tmp_path / 'videos', tmp_path / 'small'
    small.mkdir()
    with FileLock(small / '.lock'):
        with pytest.raises(InputError, match='another process is making copies in'):
            reencode_plan(Plan({'x': []}), ffmpeg, source, small, 16, 1)
