"""Transforms that open and decode videos: the same results as MMAction2's."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from torch.utils.data import DataLoader

from repflow_mm.datasets import VideoDecode, VideoInit
from repflow_mm.video import VideoError


@pytest.fixture
def clip(motion_set) -> str:
    return str(motion_set / 'videos_train' / 'still' / '0000.mp4')


def frames_of(filename: str, *transforms) -> dict:
    results = dict(filename=filename, frame_inds=np.array([[0, 3, 5]]))
    for transform in transforms:
        results = transform(results)
    return results


def test_gives_what_mmaction2_gives(plugin, clip):
    theirs = frames_of(
        clip,
        TRANSFORMS.build(dict(type='DecordInit')),
        TRANSFORMS.build(dict(type='DecordDecode')),
    )
    ours = frames_of(clip.removesuffix('.mp4'), VideoInit(), VideoDecode())
    ours['filename'] = clip
    # MMAction2 lets go of its reader; ours gives later transforms more frames.
    assert theirs.pop('video_reader') is None and ours.pop('video_reader')
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)


def test_two_videos_open_at_once(plugin, motion_set, clip):
    other = str(motion_set / 'videos_train' / 'zoom_in' / '0000.mp4')
    open_video, decode = VideoInit(), VideoDecode()
    first = open_video(dict(filename=clip, frame_inds=np.array([0])))
    second = open_video(dict(filename=other, frame_inds=np.array([0])))
    for results, filename in ((first, clip), (second, other)):
        wanted = frames_of(filename, open_video, decode)['imgs'][0]
        np.testing.assert_array_equal(decode(results)['imgs'][0], wanted)


def test_threads_share_a_decoder(plugin, motion_set, clip):
    other = str(motion_set / 'videos_train' / 'zoom_in' / '0000.mp4')
    open_video, decode = VideoInit(), VideoDecode()
    wanted = {f: frames_of(f, open_video, decode)['imgs'][0] for f in (clip, other)}

    def same(filename: str) -> bool:
        found = frames_of(filename, open_video, decode)['imgs'][0]
        return bool((found == wanted[filename]).all())

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(same, [clip, other] * 20))


def test_a_video_stays_the_same_in_another_folder(plugin, motion_set, monkeypatch):
    open_video, decode = VideoInit(), VideoDecode()
    videos = motion_set / 'videos_train'
    monkeypatch.chdir(videos / 'still')
    first = open_video(dict(filename='0000.mp4', frame_inds=np.array([0])))
    monkeypatch.chdir(videos / 'zoom_in')
    open_video(dict(filename='0000.mp4', frame_inds=np.array([0])))
    expected = frames_of(str(videos / 'still' / '0000.mp4'), open_video, decode)
    np.testing.assert_array_equal(decode(first)['imgs'][0], expected['imgs'][0])


class Frames:
    """A dataset of first frames, decoded in the calling process."""

    def __init__(self, clip):
        self.clip, self.open, self.decode = clip, VideoInit(), VideoDecode()

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return frames_of(self.clip, self.open, self.decode)['imgs'][0]


@pytest.mark.slow
@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_workers_have_decoders_of_their_own(plugin, clip, start):
    data = Frames(clip)
    here = data[0]  # this process has one already
    loader = DataLoader(data, num_workers=1, multiprocessing_context=start)
    for frame in loader:
        np.testing.assert_array_equal(frame[0].numpy(), here)
    np.testing.assert_array_equal(data[0], here)


def test_a_video_on_a_server(plugin, motion_set, clip):
    handler = functools.partial(SimpleHTTPRequestHandler, directory=motion_set)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/videos_train/still'
        init = VideoInit(backend_args=dict(backend='http'))
        remote = frames_of(f'{url}/0000.mp4', init, VideoDecode())
        local = frames_of(clip, VideoInit(), VideoDecode())
        np.testing.assert_array_equal(remote['imgs'], local['imgs'])
        with pytest.raises(VideoError, match=r'9999\.mp4: cannot be fetched'):
            init(dict(filename=f'{url}/9999.mp4'))
        server.shutdown()


def test_a_strip_that_resizing_would_blow_up(plugin, clip, monkeypatch):
    results = VideoInit()(dict(filename=clip, frame_inds=np.array([0])))
    strip = np.zeros((1, 4, 400, 3), np.uint8)
    monkeypatch.setattr(results['video_reader']._process, 'frames', lambda *_: strip)
    with pytest.raises(VideoError, match='is 400x4 pixels'):
        VideoDecode()(results)


def test_an_unknown_decoder(plugin):
    with pytest.raises(ValueError, match='decoder must be one of auto'):
        VideoInit(decoder='gif')
