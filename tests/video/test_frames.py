"""Frame `i` is the `i`-th decoded picture, for every file format and decoder.

Frames show their number, which is read from the pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from repflow_mm.video import VideoError, VideoProcess, decoders
from tests.helpers import numbered_videos as numbered
from tests.helpers.paths import REAL_VIDEOS, VIDEOS

DECODERS = tuple(decoders.CLASSES)

# Formats, each of which is difficult for decoders in a different way.
QUICK = (
    'h264_closed.mp4',
    'h264_open_gop.mp4',
    'h264_intra_refresh.mp4',
    'h264_b.avi',
    'h264_b.ts',
    'h264_interlaced.ts',
    'hevc_open_gop.mp4',
    'mpeg4_b.avi',
    'wmv2.wmv',
    'mpeg2_ps.mpg',
    'variable_rate.mp4',
    'cut.mp4',
    'cut_open_gop.mp4',
    'rotated_90.mp4',
    'no_stamps.h264',
)
# Formats that decoders refuse with an error: exactly these.
REFUSED = {
    'decord': {
        *(name for name in numbered.NAMES if name.endswith('.ts')),
        *('no_stamps.h264', 'no_stamps.hevc', 'no_stamps.m4v'),
    },
    'opencv': {'h264_interlaced.ts', 'av1.mp4'},
}
# Chroma: how it is interpolated above 8 bit, and whether by field where interlaced.
LARGEST_DIFFERENCE = {'h264_10bit.mp4': 64, 'h264_interlaced.ts': 180}


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('numbered')


@pytest.fixture(scope='module', params=DECODERS)
def process(request) -> Iterator[VideoProcess]:
    pytest.importorskip(decoders.MODULES[request.param])
    process = VideoProcess(request.param, timeout=60)
    yield process
    process.close()


def from_the_start(path: Path) -> np.ndarray:
    """All frames, decoded by a plain PyAV loop."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            turns = frame.rotation // 90
            picture = frame.to_ndarray(format='rgb24', interpolation='BICUBIC')
            frames.append(np.rot90(picture, turns))
    return np.stack(frames)


def numbers(frames: np.ndarray, name: str) -> list[int]:
    return [numbered.number_of(frame, numbered.TURNS.get(name, 0)) for frame in frames]


def windows(count: int, seed: int, total: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    starts = rng.integers(count, size=total)
    steps = rng.integers(1, 5, size=total)
    clips = [s + np.arange(6) * k for s, k in zip(starts, steps, strict=True)]
    return [np.minimum(clip, count - 1) for clip in clips] + [np.array([4, 1, 3, 1])]


def check(process: VideoProcess, path: Path, total: int = 8) -> None:
    name = path.name
    truth = from_the_start(path)
    shown = numbers(truth, name)
    assert shown == list(range(shown[0], shown[0] + len(truth)))
    if name in REFUSED.get(process.decoder, ()):
        with pytest.raises(VideoError):
            process.open(str(path))
            process.frames(np.arange(len(truth)))
        return
    assert process.open(str(path)).frames == len(truth)
    for clip in windows(len(truth), seed=len(name), total=total):
        frames = process.frames(clip)
        assert numbers(frames, name) == [shown[i] for i in clip]
        difference = abs(frames.astype(int) - truth[clip]).max()
        assert difference <= LARGEST_DIFFERENCE.get(name, 0)


@pytest.mark.parametrize('name', QUICK)
def test_windows_are_those_of_decoding_from_the_start(process, folder, name):
    check(process, numbered.make(folder, name, frames=60))


# Cutting the beginning of a file leaves nothing of five frames.
LENGTHS = [(name, 120) for name in numbered.NAMES]
LENGTHS += [(name, 5) for name in numbered.NAMES if not name.startswith('cut')]


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'frames'), LENGTHS)
def test_every_kind_of_file(process, folder, name, frames):
    if frames == 5 and process.decoder == 'decord' and name == 'mpeg1.mpg':
        with pytest.raises(VideoError, match='^[^:]*: Failed to measure duration'):
            path = numbered.make(folder / '5', name, 5)
            process.open(str(path))
            process.frames([0])
        return
    total = 50 if frames > 5 else 10
    check(process, numbered.make(folder / str(frames), name, frames), total)


@pytest.mark.parametrize(
    'name',
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in numbered.NAMES
        if name not in REFUSED['decord']
    ],
)
def test_decord_reads_without_pyavs_help(folder, monkeypatch, name):
    pytest.importorskip('decord')
    monkeypatch.setattr(decoders.decord, 'find_spec', lambda _: None)
    path = str(numbered.make(folder, name, frames=60))
    video = decoders.CLASSES['decord'](path, None, lambda: None)
    index = video.index
    frames = np.empty((index.frames, index.height, index.width, 3), np.uint8)
    if name == 'hevc_closed.mp4':
        with pytest.raises(Exception, match='Error sending packet'):
            video.read(range(index.frames), frames)
        return
    video.read(range(index.frames), frames)
    shown = numbers(frames, name)
    assert shown == list(range(shown[0], shown[0] + len(frames)))


def check_width(process: VideoProcess, folder: Path, width: int, height: int) -> None:
    path = folder / f'{width}x{height}.mp4'
    if not path.exists():
        even = width % 2 == height % 2 == 0
        pixels = ('-pix_fmt', 'yuv420p' if even else 'yuv444p')
        numbered.encode(path, ('-c:v', 'libx264', *pixels), 5, (width, height))
    process.open(str(path))
    np.testing.assert_array_equal(process.frames(range(5)), from_the_start(path))


@pytest.mark.parametrize('width', [16, 24, 32, 48, 72, 96, 130, 144, 17])
def test_widths_at_which_rows_are_padded(process, folder, width):
    check_width(process, folder, width, 32)


@pytest.mark.slow
@pytest.mark.parametrize('height', [16, 62, 33])
def test_every_width(process, folder, height):
    for width in range(16, 259):
        if width % 2 == 0 or height % 2:
            check_width(process, folder, width, height)


CUT = ('h264_b.mkv', 'mpeg4_b.avi', 'h264_b.flv', 'vp9.webm', 'fast_start.mp4')


@pytest.mark.parametrize('name', CUT)
def test_what_a_cut_file_lacks_is_not_counted(process, folder, tmp_path, name):
    source = numbered.make(folder, name, frames=60).read_bytes()
    path = tmp_path / name
    path.write_bytes(source[: len(source) * 6 // 10])
    info = process.open(str(path))
    assert info.frames == dict(zip(CUT, (32, 32, 31, 45, 30), strict=True))[name]
    frames = process.frames(np.arange(info.frames))
    # The last one may be cut itself.
    assert numbers(frames, name)[:-1] == list(range(info.frames - 1))
    assert (frames[1:] != frames[:-1]).any(axis=(1, 2, 3)).all()  # no repeats


def test_no_other_frame_takes_the_place_of_one_that_is_damaged(
    process, folder, tmp_path
):
    source = numbered.make(folder, 'h264_b.mov', frames=60)
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        packet = [p for p in container.demux(video=0) if p.size][30]
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path = tmp_path / source.name
    path.write_bytes(data)
    assert process.open(str(path)).frames == 60
    right = {}
    for number in range(60):
        try:
            (frame,) = process.frames([number])
        except VideoError:
            continue
        right[number] = numbered.number_of(frame) == number
    assert all(right.values()) and len(right) < 60
    assert set(range(25)) <= right.keys()


def test_seeking_begins_where_nothing_reaches_across(folder):
    found = {}
    for name in QUICK:
        path = str(numbered.make(folder, name, frames=60))
        found[name] = decoders.index.index_video(path, lambda: None)
    closed = {name for name, index in found.items() if index.closed}
    assert closed == {'h264_closed.mp4', 'variable_rate.mp4', 'rotated_90.mp4'}
    assert found['h264_closed.mp4'].entries == (0, 12, 24, 36, 48)
    assert found['h264_open_gop.mp4'].entries == (0,)


@pytest.mark.slow
@pytest.mark.skipif(not REAL_VIDEOS.is_dir(), reason='the real datasets are not here')
@pytest.mark.parametrize('dataset', ['ut_interaction', 'weizmann'])
def test_clips_of_the_real_datasets(process, dataset):
    """A third of them; `dev.frame_exactness` reads all."""
    files = sorted((REAL_VIDEOS / dataset).glob('*/*.avi'))
    assert len(files) == dict(ut_interaction=120, weizmann=90)[dataset]
    for path in files[::3]:
        truth = from_the_start(path)
        assert process.open(str(path)).frames == len(truth)
        for clip in windows(len(truth), seed=0, total=3):
            np.testing.assert_array_equal(process.frames(clip), truth[clip])


@pytest.mark.slow
@pytest.mark.skipif(not VIDEOS.is_dir(), reason='the real clips are not here')
@pytest.mark.parametrize('name', ['demo.mp4', 'test.mp4', 'test.avi'])
def test_real_clips(process, name):
    truth = from_the_start(VIDEOS / name)
    assert process.open(str(VIDEOS / name)).frames == len(truth)
    for clip in windows(len(truth), seed=0, total=5):
        difference = abs(process.frames(clip).astype(int) - truth[clip]).max()
        assert difference <= 2


def test_the_numbers_can_be_read():
    for size in ((64, 48), (16, 16), (258, 62)):
        for number in range(0, 256, 7):
            assert numbered.number_of(numbered.picture(number, *size)) == number
