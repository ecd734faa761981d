"""Transforms of flow: crops and flips on pixels, flow of flow, order of channels."""

import numpy as np
import pytest

from repflow_mm.datasets import ComputeFlowOfFlow, FlowResize, StackFlow
from repflow_mm.optical_flow.quantize import quantize
from tests.helpers.flow_pipeline import BOUND, DECODE, INIT, Flow, numbered, run, sample


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
        with pytest.raises(ValueError, match='needs two flows: put it after'):
            run(clip, *wrong, speed)


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        ((sample(), DECODE, StackFlow(3)), 'StackFlow finds no flow'),
        ((sample(), Flow(), StackFlow(9)), 'of 9 flows does not fit'),
        ((sample(), DECODE, dict(type='FormatStreams')), 'with keep_rgb=True'),
    ],
)
def test_wrong_order(clip, steps, message):
    with pytest.raises(ValueError, match=message):
        run(clip, INIT, *steps)
