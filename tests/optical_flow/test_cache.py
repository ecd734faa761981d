"""The cache of flow: complete files only, whatever happens to the writers."""

import multiprocessing
import os
import resource
import signal
import time

import numpy as np
import pytest

from repflow_mm.errors import OutputError
from repflow_mm.optical_flow.cache import FlowCache

SHAPE = 40, 24, 32, 2


@pytest.fixture
def video(tmp_path):
    path = tmp_path / 'a video.mp4'
    path.write_bytes(b'x' * 100)
    return path


def flows(value: int = 7, delay: float = 0):
    for n in range(SHAPE[0]):
        time.sleep(delay)
        yield np.full(SHAPE[1:], value + n, np.uint8)


def check(cache: FlowCache, path) -> bool:
    """Whether the file is there, and then it is complete."""
    flow = cache.load(path, SHAPE)
    if flow is None:
        return False
    np.testing.assert_array_equal(flow, np.stack(list(flows())))
    return True


def test_what_is_stored_is_loaded_and_read_only(tmp_path, video):
    cache = FlowCache(tmp_path / 'flow')
    path = cache.path(video, method='tvl1')
    assert cache.load(path, SHAPE) is None and cache.size() == 0
    assert cache.store(path, SHAPE[0], flows())
    assert check(cache, path) and path.name.startswith('a video-')
    assert isinstance(cache.load(path, SHAPE), np.memmap)
    with pytest.raises(ValueError, match='read-only'):
        cache.load(path, SHAPE)[0] = 0
    assert cache.load(path, (SHAPE[0] + 1, *SHAPE[1:])) is None  # of another video


def test_another_video_and_another_parameter_are_another_file(tmp_path, video):
    cache = FlowCache(tmp_path)
    paths = {cache.path(video, bound=20), cache.path(video, bound=8)}
    os.utime(video, ns=(1, 1))
    paths.add(cache.path(video, bound=20))
    video.write_bytes(b'y' * 101)
    os.utime(video, ns=(1, 1))
    paths.add(cache.path(video, bound=20))
    other = tmp_path / 'b' / video.name
    other.parent.mkdir()
    other.write_bytes(b'y' * 101)
    os.utime(other, ns=(1, 1))
    paths.add(cache.path(other, bound=20))
    assert len(paths) == 5


def test_a_damaged_file_is_as_none(tmp_path, video):
    cache = FlowCache(tmp_path)
    path = cache.path(video)
    cache.store(path, SHAPE[0], flows())
    whole = path.read_bytes()
    for content in (b'', whole[:50], whole[:-1], whole[200:]):
        path.write_bytes(content)
        assert cache.load(path, SHAPE) is None
    assert cache.store(path, SHAPE[0], flows()) and check(cache, path)


def test_an_error_and_a_full_disk_leave_nothing(tmp_path, video):
    cache = FlowCache(tmp_path / 'flow')
    path = cache.path(video)
    with pytest.raises(RuntimeError):
        cache.store(path, SHAPE[0] + 1, flows())
    assert list(cache.folder.iterdir()) == []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # as a full disk
    try:
        with pytest.raises(OutputError, match='cannot be written'):
            cache.store(path, SHAPE[0], flows())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(cache.folder.iterdir()) == []


def test_its_size_is_limited_and_it_can_be_cleaned(tmp_path, video):
    (tmp_path / 'notes.npy').write_bytes(b'mine')
    one = 128 + int(np.prod(SHAPE))
    cache = FlowCache(tmp_path, max_gb=1.5 * one / 1e9)
    stored = [cache.store(cache.path(video, n=n), SHAPE[0], flows()) for n in range(4)]
    assert stored == [True, True, False, False]
    assert cache.clean() == (2, 2 * one) and cache.size() == 0
    assert {p.name for p in tmp_path.iterdir()} == {'notes.npy', video.name}
    with pytest.raises(ValueError, match='max_gb must be more than 0'):
        FlowCache(tmp_path, 0)


def test_what_a_killed_process_left_takes_no_room(tmp_path, video):
    cache = FlowCache(tmp_path, max_gb=1e-6)
    path = cache.path(video)
    left, new = (tmp_path / f'.{path.stem}.part-{digit * 32}.npy' for digit in 'ab')
    for file in (left, new):
        file.write_bytes(bytes(2000))
    os.utime(left, (0, 0))
    assert cache.store(path, SHAPE[0], flows())
    assert not left.exists() and new.exists()
    assert cache.clean()[0] == 2 and not new.exists()


@pytest.mark.parametrize('name', [b'\xe7\xff.mp4', 'é'.encode() * 125 + b'.mp4'])
def test_names_of_any_bytes_and_length(tmp_path, name):
    video = tmp_path / os.fsdecode(name)
    video.touch()
    cache = FlowCache(tmp_path / 'flow')
    assert cache.store(cache.path(video), SHAPE[0], flows())
    assert cache.load(cache.path(video), SHAPE) is not None
    assert cache.clean()[0] == 1


def test_a_full_folder_is_not_scanned_for_each_video(tmp_path, video, monkeypatch):
    scans = []
    size = FlowCache.size
    monkeypatch.setattr(FlowCache, 'size', lambda s: scans.append(1) or size(s))
    one = 128 + int(np.prod(SHAPE))
    cache = FlowCache(tmp_path, max_gb=150.5 * one / 1e9)
    stored = [
        cache.store(cache.path(video, n=n), SHAPE[0], flows()) for n in range(170)
    ]
    assert sum(stored) == 151 and len(scans) == 2
    cache.clean()
    assert not cache.full()


def _store(folder, path, delay):
    FlowCache(folder).store(path, SHAPE[0], flows(delay=delay))


def test_a_writer_killed_at_any_moment_leaves_a_complete_file_or_none(tmp_path, video):
    context = multiprocessing.get_context('fork')
    cache = FlowCache(tmp_path / 'flow')
    found = []
    rng = np.random.default_rng(0)
    for n in range(15):
        path = cache.path(video, n=n)
        writer = context.Process(target=_store, args=(cache.folder, path, 1e-3))
        writer.start()
        time.sleep(rng.uniform(0, 0.12))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        found.append(check(cache, path))
    assert not all(found)
    cache.clean()
    assert list(cache.folder.iterdir()) == []


def test_several_writers_of_one_file(tmp_path, video):
    context = multiprocessing.get_context('fork')
    cache = FlowCache(tmp_path / 'flow')
    path = cache.path(video)
    writers = [
        context.Process(target=_store, args=(cache.folder, path, delay))
        for delay in (1e-3, 2e-3, 1e-3, 0)
    ]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        seen += check(cache, path)
    assert all(writer.exitcode == 0 for writer in writers)
    assert seen and check(cache, path)
    assert [p.name for p in cache.folder.iterdir()] == [path.name]
