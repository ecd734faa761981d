import numpy as np
import pytest
from mmengine.config import Config

from tests.helpers.paths import MOTION_CONFIG


@pytest.fixture(scope='module')
def windows(plugin):
    from repflow_mm.inference import windows

    return windows


def test_a_frame_rate_is_that_of_the_test(windows, plugin):
    from mmaction.registry import TRANSFORMS

    cfg = dict(type='SampleFrames', clip_len=8, num_clips=1, target_fps=10)
    clip = dict(total_frames=100, avg_fps=25.0, start_index=0)
    wanted = TRANSFORMS.build(dict(cfg, test_mode=True))(clip)['frame_inds']
    found = windows.Sampling.of(cfg).windows(100, 25.0)[0]
    assert np.diff(found).tolist() == np.diff(wanted).tolist() and 2 in np.diff(found)


@pytest.mark.parametrize(
    ('sampler', 'total', 'count'),
    [
        (dict(clip_len=8), 64, 8),
        (dict(clip_len=8), 65, 9),
        (dict(clip_len=8), 8, 1),
        (dict(clip_len=32, frame_interval=2, num_clips=10), 280, 5),
        (dict(clip_len=1, num_clips=8), 1000, 4),  # of ten seconds each
        (dict(clip_len=1, num_clips=8), 30, 1),
    ],
)
def test_windows_cover_the_video(windows, sampler, total, count):
    sampling = windows.Sampling.of(sampler)
    found = sampling.windows(total, 25.0)
    assert len(found) == count
    for indices in found:
        assert len(indices) == sampling.frames
        assert (np.diff(indices) > 0).all()
    assert found[0][0] < 250 / 8
    assert found[-1][-1] >= total - max(sampling.interval, 250 / 8)
    if sampling.interval == 1:
        assert set(np.concatenate(found)) == set(range(total))


def test_a_short_video_ends_in_its_last_frame(windows):
    sampling = windows.Sampling.of(dict(clip_len=8, frame_interval=2))
    (indices,) = sampling.windows(10, 25.0)
    assert indices.tolist() == [0, 2, 4, 6, 8, 9, 9, 9]
    with pytest.raises(ValueError, match='6 frames, and the config samples 8, 2 apart'):
        sampling.windows(6, 25.0)


def test_only_sampled_frames_are_decoded(windows, long_video, monkeypatch):
    from repflow_mm.video import VideoProcess

    cfg = Config.fromfile(MOTION_CONFIG)
    cfg.test_dataloader.dataset.pipeline[1].update(clip_len=4, frame_interval=3)
    decoded = []
    frames = VideoProcess.frames
    monkeypatch.setattr(
        VideoProcess,
        'frames',
        lambda self, indices, *rest: (
            decoded.extend(indices) or frames(self, indices, *rest)
        ),
    )
    video = windows.WindowedVideo(long_video, cfg)
    assert [len(window.packed['inputs'][0][0]) for window in video] == [4, 4, 4]
    assert decoded == [0, 3, 6, 9, 12, 15, 18, 21, 15, 18, 21, 24]


def test_pipelines_that_read_no_videos(windows, long_video):
    cfg = Config.fromfile(MOTION_CONFIG)
    cfg.test_dataloader.dataset.pipeline = [dict(type='PoseDecode')]
    with pytest.raises(ValueError, match=r"begin with VideoInit .*it is \['PoseDec"):
        windows.WindowedVideo(long_video, cfg)


def test_mmaction2s_readers_are_replaced(windows, long_video):
    cfg = Config.fromfile(MOTION_CONFIG)
    pipeline = cfg.test_dataloader.dataset.pipeline
    ours = list(windows.WindowedVideo(long_video, cfg))
    pipeline[0] = dict(type='DecordInit', io_backend='disk', num_threads=2)
    pipeline[2] = dict(type='DecordDecode', mode='efficient')
    theirs = list(windows.WindowedVideo(long_video, cfg))
    assert len(ours) == len(theirs) == 4
    for a, b in zip(ours, theirs, strict=True):
        assert (a.packed['inputs'] == b.packed['inputs']).all()
    pipeline[1].type = 'UniformSample'  # other frames than we would take
    with pytest.raises(ValueError, match='UniformSample'):
        windows.WindowedVideo(long_video, cfg)


def test_skipping(windows, long_video):
    from repflow_mm.video import VideoError

    video = windows.WindowedVideo(long_video, Config.fromfile(MOTION_CONFIG))
    assert [w[0] for w in video.indices] == [0, 8, 16, 19]
    assert [w[0] for w in video.skipped_to(0.5).indices] == [16, 19]
    assert [w[0] for w in video.indices] == [0, 8, 16, 19]
    with pytest.raises(VideoError, match='begins at second 0.76, but start is 2'):
        video.skipped_to(2)
