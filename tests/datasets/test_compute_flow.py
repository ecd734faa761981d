"""Computed and cached flow: which frames, what size, what goes wrong."""

import multiprocessing
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose

from repflow_mm.datasets import ComputeFlow, VideoInit
from repflow_mm.optical_flow.quantize import quantize
from repflow_mm.synthetic import MotionSet
from tests.helpers.flow_pipeline import BOUND, DECODE, INIT, Flow, numbered, run, sample


def test_flow_of_sampled_and_of_adjacent_frames(clip):
    rgb = run(clip, INIT, sample(), DECODE)
    means = np.array([p[..., 0].mean() for p in rgb['imgs']]).reshape(2, 5)
    out = run(clip, INIT, sample(), DECODE, Flow(method=numbered))
    assert (out['modality'], out['clip_len']) == ('Flow', 4) and len(out['imgs']) == 8
    assert out['imgs'][0].shape == (48, 64, 2) and out['imgs'][0].dtype == np.uint8
    found = np.array([p[0, 0] for p in out['imgs']]).reshape(2, 4, 2)
    pairs = np.stack((means[:, :-1], means[:, 1:]), -1)
    np.testing.assert_array_equal(found, quantize(pairs / 255 * BOUND, BOUND))
    # Without a decoder in front, the frames are decoded where they are needed.
    lone = run(clip, INIT, sample(), Flow(method=numbered))
    np.testing.assert_array_equal(lone['imgs'], out['imgs'])

    everything = run(clip, INIT, sample(20, 1, 1), DECODE)['imgs']
    means = np.array([p[..., 0].mean() for p in everything])
    near = run(clip, INIT, sample(), DECODE, Flow(method=numbered, pairs='adjacent'))
    assert near['clip_len'] == 5
    first = near['frame_inds'].clip(max=18)
    pairs = np.stack((means[first], means[first + 1]), -1)
    found = np.array([p[0, 0] for p in near['imgs']])
    np.testing.assert_array_equal(found, quantize(pairs / 255 * BOUND, BOUND))


def test_the_flow_is_that_of_the_video(clip):
    flow = run(clip, INIT, sample(3, 2, 1), Flow())['imgs'][0]
    u = flow[8:-8, 8:-8].mean((0, 1)) / 255 * 2 * BOUND - BOUND
    np.testing.assert_allclose(u, (2, 1), atol=0.1)


def test_the_cache_gives_the_same_and_decodes_nothing(clip, tmp_path, monkeypatch):
    for pairs in ('sampled', 'adjacent'):
        for repeat in (sample(), sample(12, 3, 1)):  # the second ends behind the video
            plain = run(clip, INIT, repeat, Flow(pairs=pairs))
            cached = Flow(pairs=pairs, cache=str(tmp_path))
            for _ in range(2):
                out = run(clip, INIT, repeat, cached)
                np.testing.assert_array_equal(out['imgs'], plain['imgs'])
    assert len(list(tmp_path.iterdir())) == 3  # intervals 2 and 3, and adjacent
    ready = run(clip, INIT, sample())
    monkeypatch.setattr(ready['video_reader'], 'frames', None)
    monkeypatch.setattr(ready['video_reader'], 'every_frame', None)
    out = Flow(cache=str(tmp_path))(ready)
    out['imgs'][0][:] = 0  # not what is cached
    again = run(clip, INIT, sample(), Flow(cache=str(tmp_path)))['imgs'][0]
    assert again.any()


def test_without_room_in_the_cache_it_is_computed(clip, tmp_path):
    full = Flow(cache=str(tmp_path), max_gb=1e-9)
    out = run(clip, INIT, sample(), full)  # an empty cache takes one
    with pytest.warns(UserWarning, match='raise max_gb'):
        near = run(clip, INIT, sample(5, 1), full)
    assert len(list(tmp_path.iterdir())) == 1
    plain = run(clip, INIT, sample(5, 1), Flow())
    np.testing.assert_array_equal(near['imgs'], plain['imgs'])
    assert out['clip_len'] == 4


def _load(clip, folder, queue):
    out = run(clip, INIT, sample(), Flow(cache=folder))
    queue.put(np.stack(out['imgs']))


def test_two_workers_of_one_video(clip, tmp_path):
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    workers = [
        context.Process(target=_load, args=(clip, str(tmp_path), queue))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    np.testing.assert_array_equal(*found)
    assert len(list(tmp_path.iterdir())) == 1


def test_repeated_frames_have_no_flow(clip):
    out = run(clip, INIT, sample(30, 1, 1), DECODE, Flow())
    assert (np.stack(out['imgs'][19:]) == 128).all()
    assert any((p != 128).any() for p in out['imgs'][:19])
    assert len({id(p) for p in out['imgs']}) == 29


def test_frames_are_resized_before(clip, tmp_path):
    short = run(clip, INIT, sample(), Flow(size=36))
    assert short['img_shape'] == (36, 48) == short['imgs'][0].shape[:2]
    cached = Flow(size=[30, 24], cache=str(tmp_path), keep_rgb=True)
    both = run(clip, INIT, sample(), DECODE, cached)
    assert {p.shape for p in both['imgs']} == {(24, 30, 3), (24, 30, 2)}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(bound=0), 'bound must be a number of pixels above 0, got 0'),
        (dict(bound='20'), "bound must be a number of pixels above 0, got '20'"),
        (dict(bound=float('nan')), 'above 0, got nan'),
        (dict(method='tvl2'), "no method of optical flow 'tvl2'"),
        (dict(pairs='all'), 'pairs must be one of'),
        (dict(size=(1, 2, 3)), r'size is the shorter side or \(width, height\)'),
        (dict(size=0), 'size must be at least 1, got 0'),
        (dict(method=lambda a, b: a, cache='x'), 'cannot be cached, because its'),
        (dict(method=partial(max, 3), cache='x'), '<partial> cannot be cached'),
        (dict(cache='x', max_gb=-1), 'max_gb must be more than 0'),
        (dict(method='truth', cache='x'), 'takes no size and needs no cache'),
    ],
)
def test_wrong_options(plugin, options, message):
    with pytest.raises(ValueError, match=message):
        ComputeFlow(**options)


def test_the_true_flow_of_a_motion_set(motion_set, clip, tmp_path):
    video = str(motion_set / 'videos_val/zoom_out/0000.mp4')
    made, of_clip = MotionSet.of_video(video)
    assert of_clip == ('val', 8, 0)
    out = run(video, INIT, sample(3, 2, 1), ComputeFlow('truth', bound=BOUND))
    for flow, start in zip(out['imgs'], out['frame_inds'][:2], strict=True):
        # What is at a pixel now is there in two steps.
        first, second = made.flow(
            *of_clip, [(start, start + 1), (start + 1, start + 2)]
        )[0]
        y, x = np.mgrid[20:44, 20:44]
        to = (np.stack((x, y), -1) + first[20:44, 20:44]).astype(np.float32)
        then = cv2.remap(second.astype(np.float32), to, None, cv2.INTER_LINEAR)
        expected = first[20:44, 20:44] + then
        found = flow[20:44, 20:44] * (2 * BOUND / 255) - BOUND
        np.testing.assert_allclose(found, expected, atol=0.02)
    near = ComputeFlow('truth', bound=BOUND, pairs='adjacent', keep_rgb=True)
    flow = run(video, INIT, sample(20, 1, 1), DECODE, near)['imgs'][20:]
    np.testing.assert_array_equal(flow[3], quantize(made.flow(*of_clip)[0, 3], BOUND))
    with pytest.raises(ValueError, match=r'clip\.avi is not in a motion set, as tools'):
        run(clip, INIT, sample(), ComputeFlow('truth'))
    light = MotionSet(kind='transparent', train_clips=1, val_clips=1)
    light.write(tmp_path / 'set')
    with pytest.raises(ValueError, match=r'0000\.mp4 has 2 motions'):
        run(str(next(tmp_path.rglob('*.mp4'))), INIT, sample(), ComputeFlow('truth'))


def test_wrong_pipelines(clip, tmp_path):
    for steps, message in (
        ((INIT, sample(1), Flow()), 'flow needs two frames'),
        ((sample(), Flow(cache='x')), 'needs VideoInit for a cache'),
        ((sample(), Flow()), 'needs VideoInit to decode frames'),
        (
            (INIT, sample(5, 2, 6), DECODE, dict(type='CenterCrop', crop_size=32))
            + (Flow(pairs='adjacent'),),
            'move it before what resizes and crops',
        ),
    ):
        if steps[0] is not INIT:
            ready = run(clip, INIT)
            ready.pop('video_reader')
            with pytest.raises(ValueError, match=message):
                Compose(list(steps))(ready | dict(start_index=0, modality='RGB'))
            continue
        with pytest.raises(ValueError, match=message):
            run(clip, *steps)
    assert not Path('x').exists()


def test_a_video_that_does_not_decode_leaves_nothing_in_the_cache(clip, tmp_path):
    from repflow_mm.video import VideoError

    results = VideoInit()(dict(filename=clip, frame_inds=np.arange(4), num_clips=1))
    results['frame_interval'] = 1
    Path(tmp_path, 'flow').mkdir()

    def broken():
        yield np.zeros((48, 64, 3), np.uint8)
        yield np.zeros((48, 64, 3), np.uint8)
        raise VideoError(clip, 'frame 2 does not decode')

    results['video_reader'].every_frame = broken
    cached = Flow(cache=str(tmp_path / 'flow'))
    with pytest.raises(VideoError, match='frame 2 does not decode'):
        cached.whole_video(results)
    assert list((tmp_path / 'flow').iterdir()) == []
    # The frames that are needed decode.
    found = cached(dict(results))['imgs']
    np.testing.assert_array_equal(found, Flow()(dict(results))['imgs'])
    results['video_reader'].every_frame = None  # not tried again
    np.testing.assert_array_equal(cached(results)['imgs'], found)
