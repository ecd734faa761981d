"""The decoding process: right frames, and whatever happens to it, an error."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from repflow_mm.video import DECODERS, VideoError, VideoProcess, server
from tests.helpers.paths import ROOT, VIDEOS

FRAMES = 24


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Frame i is a grey of its own."""
    path = tmp_path_factory.mktemp('video') / 'a b.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 25, (64, 48))
    for i in range(FRAMES):
        writer.write(np.full((48, 64, 3), 10 * i, np.uint8))
    writer.release()
    return str(path)


@pytest.fixture(params=DECODERS)
def process(request):
    if request.param == 'pyav':
        pytest.importorskip('av', reason='PyAV is not installed')
    process = VideoProcess(request.param, timeout=20)
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
    with pytest.raises(VideoError, match='is no file'):
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


def test_a_decoder_that_crashes(video):
    process = VideoProcess()
    process.open(video)
    process._process.kill()
    with pytest.raises(VideoError, match=r'a b\.mp4: the decoder crashes'):
        process.frames([0])
    assert process.open(video).frames == FRAMES


@pytest.mark.skipif(os.name != 'posix', reason='stops a process by a signal')
def test_a_decoder_that_hangs(video):
    process = VideoProcess(timeout=20)
    process.open(video)
    process.timeout = 0.5
    os.kill(process._process.pid, signal.SIGSTOP)
    with pytest.raises(VideoError, match=r'hangs \(no answer in 0\.5 s\)'):
        process.frames([0])
    process.timeout = 20
    assert process.open(video).frames == FRAMES


def test_a_clip_too_large_for_memory(video, monkeypatch):
    monkeypatch.setattr(server, 'MAX_BYTES', 10_000)
    requests = [dict(open=video), dict(read=[0, 1]), dict(read=[1])]
    lines = b''.join(json.dumps(request).encode() + b'\n' for request in requests)
    answers = io.BytesIO()
    server.serve('decord', io.BytesIO(lines), answers)
    opened, refused, rest = answers.getvalue().split(b'\n', 2)
    assert json.loads(opened)['frames'] == FRAMES
    assert '2 frames of 64x48 take 0.0 GiB' in json.loads(refused)['error']
    assert rest.startswith(b'{"shape": [1, 48, 64, 3]}\n')


def test_is_renewed_after_so_many_videos(video):
    process = VideoProcess(max_videos=2)
    pids = []
    for _ in range(5):
        process.open(video)
        pids.append(process._process.pid)
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
print(process._process.pid, flush=True)
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
    with pytest.raises(ValueError, match="one of decord, pyav, opencv, got 'gif'"):
        VideoProcess('gif')
