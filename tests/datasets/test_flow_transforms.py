"""Flow in a pipeline: which frames, crops and flips on pixels, order of channels."""

import multiprocessing
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose

from repflow_mm.datasets import (
    ComputeFlow,
    ComputeFlowOfFlow,
    FlowResize,
    MotionSet,
    StackFlow,
    VideoInit,
)
from repflow_mm.optical_flow.quantize import quantize

INIT = dict(type='VideoInit')
DECODE = dict(type='VideoDecode')
BOUND = 4


def numbered(first, second):
    """A function of both pictures, to see which pair was given."""
    mean = [float(p[..., 0].mean()) for p in (first, second)]
    return np.broadcast_to(np.float32(mean) / 255 * BOUND, (*first.shape[:2], 2))


class Flow(ComputeFlow):
    def __init__(self, **options):
        super().__init__(**dict(method='farneback', bound=BOUND) | options)


@pytest.fixture(scope='module')
def clip(plugin, tmp_path_factory):
    """20 frames of 48x64; a texture that moves by (1, 0.5), and grows brighter."""
    path = tmp_path_factory.mktemp('flow') / 'clip.avi'
    noise = np.random.default_rng(0).uniform(0, 255, (160, 160))
    texture = cv2.GaussianBlur(noise, (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 150, cv2.NORM_MINMAX).astype(np.float32)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'FFV1'), 25, (64, 48))
    for n in range(20):
        shift = np.float32([[1, 0, n - 60], [0, 1, n / 2 - 60]])
        frame = cv2.warpAffine(texture, shift, (64, 48), flags=cv2.INTER_CUBIC) + 4 * n
        writer.write(np.repeat(frame.clip(0, 255).astype(np.uint8)[..., None], 3, -1))
    writer.release()
    return str(path)


def sample(length=5, interval=2, clips=2, test=True):
    return dict(
        type='SampleFrames',
        clip_len=length,
        frame_interval=interval,
        num_clips=clips,
        out_of_bound_opt='repeat_last',
        test_mode=test,
    )


def run(clip, *steps):
    start = dict(filename=clip, start_index=0, modality='RGB', label=0)
    return Compose(list(steps))(start)


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


def test_a_mirrored_clip_has_mirrored_flow(clip):
    flip = dict(type='Flip', flip_ratio=1)
    flow = run(clip, INIT, sample(), DECODE, Flow(), flip)['imgs']
    other = run(clip, INIT, sample(), DECODE, flip, Flow())['imgs']
    difference = np.abs(np.stack(flow).astype(int) - np.stack(other))
    inside = difference[:, 8:-8, 8:-8]
    assert inside.mean() < 1 and np.median(inside) == 0


def test_crops_and_flips_of_both_streams_on_pixels(clip):
    steps = INIT, sample(), DECODE, Flow(keep_rgb=True)
    whole = run(clip, *steps)['imgs']
    assert [p.shape[-1] for p in whole] == [3] * 10 + [2] * 8
    out = run(
        clip,
        *steps,
        dict(type='CenterCrop', crop_size=32),
        dict(type='Flip', flip_ratio=1),
        dict(type='FormatStreams'),
        dict(type='PackActionInputs', collect_keys=('rgb', 'flow')),
    )['inputs']
    assert out['rgb'].shape == (2, 3, 5, 32, 32)
    assert out['flow'].shape == (2, 2, 4, 32, 32)
    for n, picture in enumerate(whole):
        expected = picture[8:40, 16:48][:, ::-1].copy()
        if n < 10:
            found = out['rgb'][n // 5, :, n % 5]
        else:
            found = out['flow'][(n - 10) // 4, :, (n - 10) % 4]
            expected[..., 0] = 255 - expected[..., 0]
        np.testing.assert_array_equal(found.permute(1, 2, 0), expected)


def test_three_and_ten_crops(clip):
    for name, size, crops in (('ThreeCrop', (48, 48), 3), ('TenCrop', (32, 32), 10)):
        out = run(
            clip,
            *(INIT, sample(), DECODE, Flow(keep_rgb=True)),
            dict(type=name, crop_size=size),
            dict(type='FormatStreams'),
        )
        assert out['rgb'].shape == (crops * 2, 3, 5, *size)
        assert out['flow'].shape == (crops * 2, 2, 4, *size)
    # Crops 1, 3, ... of ten are mirrored; crop k has clips 2 k and 2 k + 1.
    plain, mirrored = out['flow'][0], out['flow'][2]
    np.testing.assert_array_equal(mirrored[0], 255 - plain[0, ..., ::-1])
    np.testing.assert_array_equal(mirrored[1], plain[1, ..., ::-1])


def test_resized_flow_is_rescaled(clip):
    steps = INIT, sample(), DECODE, Flow(keep_rgb=True)
    flow = run(clip, *steps, FlowResize(scale=(128, 24), keep_ratio=False))['imgs'][-1]
    inside = flow[4:-4, 16:-16].astype(float).mean((0, 1)) - 128
    np.testing.assert_allclose(inside / 255 * 2 * BOUND, (4, 0.5), atol=0.15)
    plain = dict(type='Resize', scale=(128, 24), keep_ratio=False)
    resized, ours = (
        run(clip, *steps, step)['imgs'][:10]
        for step in (plain, FlowResize(scale=(128, 24), keep_ratio=False))
    )
    np.testing.assert_array_equal(resized, ours)
    with pytest.raises(ValueError, match='is not lazy'):
        FlowResize(scale=(8, 8), lazy=True)


def test_stacks_and_the_order_of_their_channels(clip):
    steps = INIT, sample(7, 1, 2), Flow()
    flows = np.stack(run(clip, *steps)['imgs']).reshape(2, 6, 48, 64, 2)
    form = dict(type='FormatShape', input_format='NCTHW')
    stack = StackFlow(length=3, stride=2)
    out = run(clip, *steps, stack, form)['imgs']
    assert out.shape == (2, 6, 2, 48, 64)
    for t in range(2):
        for n in range(6):  # x1, y1, x2, y2, ...
            expected = flows[:, 2 * t + n // 2, ..., n % 2]
            np.testing.assert_array_equal(out[:, n, t], expected)
    # MMAction2's own: one stack per clip.
    own = run(clip, *steps, dict(type='FormatShape', input_format='NCHW'))['imgs']
    assert own.shape == (2, 12, 48, 64)
    np.testing.assert_array_equal(own[:, :6], out[:, :, 0])
    both = INIT, sample(7, 1, 2), DECODE, Flow(keep_rgb=True)
    streams = run(clip, *both, stack, dict(type='FormatStreams'))
    np.testing.assert_array_equal(streams['flow'], out)
    assert streams['rgb'].shape == (2, 3, 7, 48, 64)


def test_which_pictures_flow_of_flow_sees(clip):
    steps = INIT, sample(7, 1, 2), DECODE, Flow(keep_rgb=True)
    before = np.stack([p for p in run(clip, *steps)['imgs'] if p.shape[-1] == 2])
    twice = dict(method=numbered, bound=BOUND)
    out = run(clip, *steps, ComputeFlowOfFlow(**twice))
    assert [p.shape[-1] for p in out['imgs']] == [3] * 14 + [2] * 20
    assert (out['flow_len'], out['clip_len']) == (10, 7)
    found = np.stack(out['imgs'][14:])[:, 0, 0].reshape(2, 5, 2, 2)
    mean = before.mean((1, 2), dtype=np.float32).reshape(2, 6, 2)
    pairs = np.stack((mean[:, :-1], mean[:, 1:]), -1)  # clip, t, x or y, from and to
    np.testing.assert_allclose(found, quantize(pairs / 255 * BOUND, BOUND), atol=1)

    speed = ComputeFlowOfFlow('magnitude', **twice)
    out = run(clip, *(INIT, sample(7, 1, 2), Flow()), speed)
    assert (out['modality'], out['clip_len'], len(out['imgs'])) == ('Flow', 5, 10)
    mean = 2 * np.hypot(*np.moveaxis(before - 128.0, -1, 0)).mean((1, 2)).reshape(2, 6)
    pairs = np.stack((mean[:, :-1], mean[:, 1:]), -1).reshape(10, 2)
    found = np.stack(out['imgs'])[:, 0, 0]
    np.testing.assert_allclose(found, quantize(pairs / 255 * BOUND, BOUND), atol=1)
    for wrong in ((INIT, sample(), DECODE), (INIT, sample(2), Flow())):
        with pytest.raises(ValueError, match='needs two flows: put it behind'):
            run(clip, *wrong, speed)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(bound=0), 'bound must be a number of pixels above 0, got 0'),
        (dict(bound='20'), "bound must be a number of pixels above 0, got '20'"),
        (dict(bound=float('nan')), 'above 0, got nan'),
        (dict(method='tvl2'), "no optical flow 'tvl2'"),
        (dict(pairs='all'), 'pairs must be one of'),
        (dict(size=(1, 2, 3)), r'size is the shorter side or \(width, height\)'),
        (dict(size=0), 'size must be at least 1, got 0'),
        (dict(method=lambda a, b: a, cache='x'), 'cannot be cached: name it'),
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
        ((INIT, sample(), DECODE, StackFlow(3)), 'StackFlow finds no flow'),
        (
            (INIT, sample(), Flow(), StackFlow(9)),
            'of 9 flows does not fit',
        ),
        ((INIT, sample(), DECODE, dict(type='FormatStreams')), 'with keep_rgb=True'),
        (
            (INIT, sample(5, 2, 6), DECODE, dict(type='CenterCrop', crop_size=32))
            + (Flow(pairs='adjacent'),),
            'move it in front of what resizes and crops',
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
    with pytest.raises(VideoError, match='frame 2 does not decode'):
        Flow(cache=str(tmp_path / 'flow'))(results)
    assert list((tmp_path / 'flow').iterdir()) == []
