"""The decoding process: correct frames, and an error on every failure."""

import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from repflow_mm.errors import InputError
from repflow_mm.video import (
    DECODERS,
    VideoError,
    VideoProcess,
    channel,
    decoders,
    memory,
)
from repflow_mm.video import process as module
from tests.helpers.paths import ROOT, VIDEOS

FRAMES = 24


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Each frame has a distinct grey level."""
    path = tmp_path_factory.mktemp('video') / 'a b.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 25, (64, 48))
    for i in range(FRAMES):
        writer.write(np.full((48, 64, 3), 10 * i, np.uint8))
    writer.release()
    return str(path)


def process_of(decoder: str) -> VideoProcess:
    """A decoding process, if the decoder is installed."""
    if decoder != 'auto':
        pytest.importorskip(decoders.MODULES[decoder])
    return VideoProcess(decoder, timeout=20)


@pytest.fixture(params=DECODERS)
def process(request):
    process = process_of(request.param)
    yield process
    process.close()


def test_reads_the_frames_asked_for_in_their_order(process, video):
    info = process.open(video)
    assert info.frames == FRAMES and info.fps == pytest.approx(25)
    for indices in ([0, 5, 23], [7, 3, 7], [1], np.arange(FRAMES)):
        frames = process.frames(indices)
        assert frames.shape == (len(indices), 48, 64, 3) and frames.dtype == np.uint8
        # Neighbours differ by 10: what is within 5 of one is that one.
        np.testing.assert_array_less(
            abs(frames.mean((1, 2, 3)) - 10 * np.asarray(indices)), 5
        )


def broken(tmp_path, video) -> dict[str, bytes]:
    data = open(video, 'rb').read()
    return {
        'empty.mp4': b'',
        'text.mp4': b'This is a text, not a video.\n' * 40,
        'half.mp4': data[: len(data) // 2],
        'noise.avi': np.random.default_rng(0).bytes(5000),
    }


def test_files_that_are_no_videos(process, video, tmp_path):
    for name, data in broken(tmp_path, video).items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(VideoError) as error:
            process.open(str(path))
            process.frames([0, 10, 20])
        assert error.value.path == str(path) and error.value.reason
        assert '\n' not in str(error.value) and len(error.value.reason) < 250
    with pytest.raises(VideoError, match='is not a file'):
        process.open(str(tmp_path))
    assert process.open(video).frames == FRAMES


@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f'no videos in {VIDEOS}')
def test_a_clip_that_fails_in_the_middle(process):
    path = str(VIDEOS / 'corrupted.mp4')
    with pytest.raises(VideoError):
        info = process.open(path)
        process.frames([0, info.frames // 2, info.frames - 1])
    info = process.open(str(VIDEOS / 'demo.mp4'))
    assert process.frames([info.frames - 1]).shape == (1, 256, 340, 3)


def test_a_decoder_that_crashes(video, tmp_path, monkeypatch):
    scripted(
        tmp_path,
        monkeypatch,
        """
import os, repflow_mm.video.decoders.pyav as pyav
pyav.PyAV.read = lambda self, numbers, frames: os._exit(3)
""",
    )
    process = VideoProcess('pyav')
    assert process.open(video).frames == FRAMES
    with pytest.raises(VideoError, match=r'a b\.mp4: the decoder crashes .*status 3'):
        process.frames([0])
    assert process.open(video).frames == FRAMES


@pytest.mark.parametrize('decoder', ['auto', 'pyav'])
def test_a_decoder_that_died_while_idle_is_replaced(video, decoder):
    process = VideoProcess(decoder)
    process.open(video)
    for ask in (
        lambda: process.frames([3]).mean(),
        lambda: process.open(video) and process.frames([3]).mean(),
    ):
        process._channel.process.kill()
        process._channel.process.wait()
        assert abs(ask() - 30) < 5
        assert not process.fell_back
    process.close()
    assert abs(process.frames([7]).mean() - 70) < 5


def test_an_interrupted_request_leaves_no_answer_for_the_next(video, monkeypatch):
    process = VideoProcess('pyav')
    for interrupted in (
        lambda: process.open(video),
        lambda: process.frames([3], copy=False),
    ):
        process.open(video)
        with monkeypatch.context() as patch:
            patch.setattr(channel.Channel, '_line', interrupt)
            with pytest.raises(KeyboardInterrupt):
                interrupted()
        process.open(video)
        assert abs(process.frames([7]).mean() - 70) < 5


def interrupt(*args):
    raise KeyboardInterrupt


@pytest.mark.skipif(os.name != 'posix', reason='stops a process by a signal')
@pytest.mark.parametrize('decoder', ['auto', 'pyav'])
def test_a_decoder_that_hangs(video, decoder):
    process = VideoProcess(decoder, timeout=20)
    process.open(video)
    process._channel.timeout = 0.5
    os.kill(process._channel.process.pid, signal.SIGSTOP)
    with pytest.raises(VideoError, match=r'hangs \(no answer in 0\.5 s\)'):
        process.frames([0])
    process._channel.timeout = 20
    assert process.open(video).frames == FRAMES


def test_a_clip_too_large_for_memory(video, monkeypatch):
    monkeypatch.setattr(module, 'MAX_BYTES', 20_000)
    process = VideoProcess()
    process.open(video)
    assert process.frames([0, 1]).shape == (2, 48, 64, 3)
    with pytest.raises(VideoError, match='3 frames of 64x48 take 0.0 GiB'):
        process.frames([1, 1, 1])


def test_is_restarted_after_a_number_of_videos(video):
    process = VideoProcess(max_videos=2)
    pids = []
    for _ in range(5):
        process.open(video)
        pids.append(process._channel.process.pid)
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_one_for_each_thread(video):
    wrong = []

    def read(start: int) -> None:
        process = VideoProcess()
        for i in range(start, FRAMES, 6):
            process.open(video)
            if abs(process.frames([i]).mean() - 10 * i) > 5:
                wrong.append(i)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_ends_with_the_process_that_started_it(video):
    code = f"""
from repflow_mm.video import VideoProcess
process = VideoProcess()
process.open({video!r})
print(process._channel.process.pid, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, 'SIGKILL') else signal.SIGTERM)
"""
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
    )
    pid = int(result.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail(f'process {pid} still runs')


def test_an_unknown_decoder():
    with pytest.raises(InputError, match="decoder must be one of auto, .*, got 'gif'"):
        VideoProcess('gif')


def test_a_decoder_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(decoders, 'find_spec', lambda name: name == 'cv2')
    with pytest.raises(InputError, match='pyav needs the module av, which is not'):
        VideoProcess('pyav')
    assert VideoProcess().used == 'opencv'


def scripted(tmp_path, monkeypatch, script: str) -> None:
    """Modify the decoders in every Python process, including the decoding process."""
    (tmp_path / 'sitecustomize.py').write_text(
        'import os, repflow_mm.video.decoders as decoders\n' + script
    )
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))


@pytest.mark.parametrize('how', ['os.abort()', 'raise RuntimeError("no such codec")'])
@pytest.mark.parametrize('when', ['__init__', '_next'])
def test_the_next_decoder_takes_over_and_is_remembered(
    video, tmp_path, monkeypatch, how, when
):
    log = tmp_path / 'log'
    scripted(
        tmp_path,
        monkeypatch,
        f"""
def fail(self, *args):
    open({str(log)!r}, 'a').write('x')
    {how}
decoders.PyAV.{when} = fail
""",
    )
    process = VideoProcess()
    for _ in range(3):
        assert process.open(video).frames == FRAMES
        (frame,) = process.frames([7])
        assert abs(frame.mean() - 70) < 5
        assert process.used == 'decord' and process.fell_back
    assert log.read_text() == 'x'


@pytest.mark.parametrize('name', ['av', 'select', 'json', 'numpy'])
def test_modules_of_the_current_folder_are_not_run(video, tmp_path, monkeypatch, name):
    (tmp_path / f'{name}.py').write_text('raise SystemExit(1)')
    monkeypatch.delenv('PYTHONPATH', raising=False)  # the user's own wish
    monkeypatch.chdir(tmp_path)
    process = VideoProcess('pyav', timeout=20)
    process.open(video)
    assert abs(process.frames([3]).mean() - 30) < 5


def test_a_decoder_that_cannot_be_imported(video, tmp_path, monkeypatch):
    (tmp_path / 'decord.py').write_text("raise OSError('libz.so.9: no such file')")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    with pytest.raises(
        InputError, match=r'decord needs .*\(libz.so.9: no such'
    ) as error:
        VideoProcess('decord').open(video)
    assert not isinstance(error.value, VideoError)  # no fault of the file


def test_the_next_decoder_stands_in_for_one_that_cannot_be_imported(
    video, tmp_path, monkeypatch
):
    scripted(
        tmp_path,
        monkeypatch,
        "decoders.MODULES |= dict(pyav='broken')\ndecoders.AUTO = 'pyav', 'opencv'",
    )
    (tmp_path / 'broken.py').write_text("raise ImportError('libz.so.9: no such file')")
    process = VideoProcess()
    assert process.open(video).frames == FRAMES and process.fell_back
    empty = tmp_path / 'empty.mp4'
    empty.write_bytes(b'')
    with pytest.raises(VideoError) as error:
        process.open(str(empty))
    assert 'libz' not in str(error.value)


def test_faults_of_the_file_are_not_retried_with_other_decoders(
    video, tmp_path, monkeypatch
):
    scripted(
        tmp_path,
        monkeypatch,
        """
def fail(self, position):
    raise decoders.MissingFrameError(position)
decoders.PyAV._decode = fail
""",
    )
    process = VideoProcess()
    process.open(video)
    with pytest.raises(VideoError, match='frame 0 does not decode'):
        process.frames([3])
    assert process.used == 'pyav'


def test_heartbeats_while_frames_are_counted(video, tmp_path, monkeypatch):
    log = tmp_path / 'log'
    scripted(
        tmp_path,
        monkeypatch,
        f"""
import time, repflow_mm.video.decoders.index as index
decode = index.decoded
def slowly(*args):
    for frame in decode(*args):
        open({str(log)!r}, 'a').write('x')
        time.sleep(0.15)
        yield frame
index.decoded = slowly
""",
    )
    process = VideoProcess('pyav', timeout=3)
    monkeypatch.setattr(channel, '_PATIENCE', 1)
    with pytest.raises(VideoError, match='takes more than 3 s to be decoded in order'):
        process.open(video)
    monkeypatch.setattr(channel, '_PATIENCE', 5)
    log.unlink()
    process = VideoProcess('pyav', timeout=3)  # seconds, of 4 that counting takes
    assert process.open(video).frames == FRAMES
    process.close()  # another process is told what the first one has counted
    assert process.open(video).frames == FRAMES
    assert log.read_text() == 'x' * FRAMES


def test_frames_cross_a_pipe_where_memory_cannot_be_sealed(video, monkeypatch):
    shared = VideoProcess()
    monkeypatch.setattr(memory, 'memfd_create', None)
    piped = VideoProcess()
    assert shared._channel._memory is not None and piped._channel._memory is None
    for indices in ([3, 4, 9], [9, 3, 3], []):
        shared.open(video)
        piped.open(video)
        frames = piped.frames(indices)
        np.testing.assert_array_equal(frames, shared.frames(indices))
        assert frames.shape == (len(indices), 48, 64, 3)


@pytest.mark.skipif(memory.memfd_create is None, reason='Linux has sealed memory')
def test_memory_is_used_again_once_nobody_has_it(video):
    process = VideoProcess()
    process.open(video)
    truth = process.frames(range(FRAMES))
    kept = [process.frames([i, i + 1], copy=False)[1] for i in range(5)]
    for i, frame in enumerate(kept):
        np.testing.assert_array_equal(frame, truth[i + 1])
    size = os.fstat(process._channel._memory.file).st_size
    for i in range(10):
        frame = process.frames([i], copy=False)
        np.testing.assert_array_equal(frame[0], truth[i])
        np.testing.assert_array_equal(kept[0], truth[1])
    del kept, frame
    process.frames([1], copy=False)
    assert os.fstat(process._channel._memory.file).st_size <= size + 2**21


@pytest.mark.parametrize(
    'answer',
    ['[]', '{"frames": -1}', '{"frames": 5, "fps": "x"}', '\\xff', 'x' * 70_000]
    + ['{"frames":5,"fps":1,"width":99999999,"height":2,"seeks":true}'],
)
def test_a_decoder_that_lies(video, tmp_path, monkeypatch, answer):
    scripted(
        tmp_path,
        monkeypatch,
        f"""
import sys, time
if 'repflow_mm.video.server' in sys.orig_argv:
    os.write(1, b'{answer}\\n')
    time.sleep(100)
""",
    )
    process = VideoProcess('pyav', timeout=10)
    with pytest.raises(VideoError, match='crashes|the decoder answers|pixels'):
        process.open(video)
    process.close()
