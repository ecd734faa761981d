"""Checking finds undecodable videos, once, whatever the decoder does."""

import os
import threading
from collections import Counter

import cv2
import numpy as np
import pytest

from repflow_mm.preparation import check_videos as module
from repflow_mm.preparation.check_videos import Verdict, check_plan, check_videos
from repflow_mm.preparation.plan import Plan, Problem, Sample
from repflow_mm.preparation.record import Record
from repflow_mm.video import VideoError, VideoInfo, decoders
from tests.helpers.paths import VIDEOS


def encode(path, frames: int = 8, size=(32, 64), seed: int = 0):
    """Write `frames` of noise, `(height, width)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    codec = cv2.VideoWriter_fourcc(*('MJPG' if path.suffix == '.avi' else 'mp4v'))
    writer = cv2.VideoWriter(str(path), codec, 25, (width, height))
    rng = np.random.default_rng(seed)
    for _ in range(frames):
        writer.write(rng.integers(0, 256, (height, width, 3), np.uint8))
    writer.release()
    return path


class ScriptedProcess:
    """A fake decoder whose behaviour is given by the name of the file."""

    opened: Counter[str] = Counter()
    read: list[int] = []
    made: list['ScriptedProcess'] = []

    def __init__(self, decoder: str, timeout: float):
        self.threads, self.closed = set(), False
        self.made.append(self)

    def open(self, path: str, in_order: bool = False) -> VideoInfo:
        self.in_order = in_order
        self.name = os.path.basename(path)
        self.threads.add(threading.get_ident())
        self.opened[self.name] += 1
        if self.name == 'hang':
            raise VideoError(path, 'the decoder hangs')
        return VideoInfo(1 if self.name == 'one' else 50, 25, 2, 2, self.name != 'one')

    def frames(self, indices):
        (index,) = indices
        self.read.append(index)
        if self.name == 'end' and index == 49:
            raise VideoError(self.name, f'frame {index} does not decode')
        wrong = self.name == 'shift' and not self.in_order
        return np.full((1, 2, 2, 3), index + wrong, np.uint8)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def scripted(monkeypatch):
    for log in (ScriptedProcess.opened, ScriptedProcess.read, ScriptedProcess.made):
        log.clear()
    monkeypatch.setattr(module, 'VideoProcess', ScriptedProcess)
    return ScriptedProcess


def make(root, *names: str) -> list[str]:
    for name in names:
        (root / name).write_text(name)
    return [str(root / name) for name in names]


def test_start_middle_and_end_and_each_thread_a_process(tmp_path, scripted):
    files = make(tmp_path, 'good', 'one', 'end', 'hang', 'shift')
    verdicts = check_videos(files, tmp_path / 'r', 'decord', 60, 3)
    assert verdicts == dict(
        zip(
            files,
            (
                Verdict(50),
                Verdict(1),
                Verdict(50, 'frame 49 of 50: frame 49 does not decode'),
                Verdict(0, 'the decoder hangs'),
                Verdict(
                    50,
                    'frame 25 of 50, in order: another picture than by seeking',
                ),
            ),
            strict=True,
        )
    )
    assert sorted(scripted.read) == [0, 0, 0, 0, *[25] * 5, 49, 49, 49]
    assert all(len(p.threads) == 1 and p.closed for p in scripted.made)


def test_a_file_is_checked_again_only_if_there_is_reason(tmp_path, scripted):
    files = make(tmp_path, 'good', 'other', 'hang')
    record = tmp_path / 'r'

    def opened(decoder='decord', timeout=60.0) -> set[str]:
        scripted.opened.clear()
        check_videos(files, record, decoder, timeout, 2)
        return set(scripted.opened)

    assert opened() == {'good', 'other', 'hang'}
    assert opened() == set()
    assert opened(timeout=90) == {'hang'}
    assert opened(timeout=60) == set()
    assert opened(decoder='opencv') == {'good', 'other', 'hang'}
    os.utime(files[0], (1, 1))
    assert opened() == {'good'}
    (tmp_path / 'other').write_text('longer than before')
    assert opened() == {'other'}
    with open(record, 'a') as file:
        file.write('["cut off by a ki')
    assert opened() == set()
    os.utime(files[0], (2, 2))
    assert opened() == {'good'}
    assert opened() == set()


def test_an_internal_error_stops_and_closes_the_processes(
    tmp_path, scripted, monkeypatch
):
    def full(*_):
        raise OSError('No space left on device')

    monkeypatch.setattr(Record, 'add', full)
    files = make(tmp_path, *map(str, range(50)))
    with pytest.raises(OSError, match='No space left'):
        check_videos(files, tmp_path / 'r', 'decord', 60, 2)
    assert all(process.closed for process in scripted.made)


def test_a_decoder_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match='pyav needs the module av, which is not'):
        check_videos([], tmp_path / 'r', 'pyav', 60, 1)


def test_real_files(tmp_path):
    good = encode(tmp_path / 'good.mp4')
    whole = encode(tmp_path / 'whole.avi', frames=40).read_bytes()
    empty, text, cut = (tmp_path / f'{name}.mp4' for name in ('empty', 'text', 'cut'))
    empty.touch()
    text.write_text('<html>404</html>')
    cut.write_bytes(good.read_bytes()[:-200])
    short = tmp_path / 'short.avi'
    short.write_bytes(whole[: len(whole) // 2])
    files = [str(file) for file in (good, empty, text, cut, short)]
    verdicts = check_videos(files, tmp_path / 'r', 'opencv', 60, 2)
    assert verdicts[str(good)] == Verdict(8)
    assert all(verdicts[str(file)].reason for file in (empty, text, cut))
    # OpenCV counts the frames that are left, or promises all and cannot read on.
    assert verdicts[str(short)].reason or verdicts[str(short)].frames < 40


def test_decoders_that_crash_and_hang(tmp_path, monkeypatch):
    # Every Python that starts runs this, the decoding processes too.
    (tmp_path / 'sitecustomize.py').write_text("""
import os, time
import repflow_mm.video.decoders as decoders
class Moody(decoders.OpenCV):
    def read(self, numbers, frames):
        if 'crash.mp4' in self.path:
            os.abort()
        if 'hang.mp4' in self.path:
            time.sleep(100)
        return super().read(numbers, frames)
decoders.CLASSES['opencv'] = Moody
""")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    names = ('crash', 'good', 'hang', 'well')
    files = [str(encode(tmp_path / 'videos' / f'{name}.mp4')) for name in names]
    verdicts = check_videos(files, tmp_path / 'r', 'opencv', 4, 1)
    crash, good, hang, well = (verdicts[file] for file in files)
    assert good == well == Verdict(8)
    assert 'crashes' in crash.reason and 'hangs' in hang.reason


@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f'no videos in {VIDEOS}')
def test_a_video_that_opens_and_fails_in_the_middle(tmp_path):
    files = [str(VIDEOS / name) for name in ('corrupted.mp4', 'test.avi')]
    verdicts = check_videos(files, tmp_path / 'r', 'decord', 60, 2)
    assert verdicts[files[0]].frames == 50
    assert verdicts[files[0]].reason.startswith('frame ')
    assert verdicts[files[1]] == Verdict(164)


def test_short_and_broken_videos_leave_every_list(tmp_path):
    a, b, c = (Sample(tmp_path, name, 0) for name in 'abc')
    verdicts = {a.file: Verdict(5), b.file: Verdict(9), c.file: Verdict(9, 'broken')}
    plan = Plan({'x': [c, b, a], 'y': [a, c]}, [Problem('missing', 'd', '')])
    checked = check_plan(plan, verdicts, 6)
    assert checked.lists == {'x': [b], 'y': []}
    assert list(checked.problems) == [
        Problem('missing', 'd', ''),
        Problem('too short', a.file, '5 frames, fewer than 6'),
        Problem('broken', c.file, 'broken'),
    ]
