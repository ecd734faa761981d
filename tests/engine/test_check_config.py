"""What is refused before a run, and what MMEngine takes and we do not refuse."""

from types import SimpleNamespace

import pytest
import torch

from repflow_mm.config import read_config
from repflow_mm.engine.check_config import check_config
from repflow_mm.engine.segments import check_segments, check_views
from repflow_mm.errors import InputError
from repflow_mm.layers import TemporalDifference

SPLICE = dict(type='FlowAugmented', after='layer2', backbone=dict(type='ResNet'))


def neck_of(segments, inputs=None):
    """A model whose neck was told the frames of a clip, or not."""
    neck = TemporalDifference(4)
    neck.num_segments = segments
    stream = type('Recognizer2D', (torch.nn.Module,), {})()
    stream.neck = neck
    if inputs is None:
        return stream
    return SimpleNamespace(streams=[stream], inputs=[inputs])


TEST = dict(test_mode=True)


@pytest.mark.parametrize(
    ('steps', 'views'),
    [
        ([dict(clip_len=4, num_clips=3)], '3 views of 4'),
        ([dict(num_clips=8), dict(type='TenCrop')], '10 views of 8'),
        ([dict(num_clips=8, twice_sample=True, **TEST)], '2 views of 8'),
        ([dict(type='DenseSampleFrames', num_clips=8, **TEST)], '10 views of 8'),
        ([dict(num_clips=8, twice_sample=True)], None),
        ([dict(type='DenseSampleFrames', num_clips=8)], None),
        ([dict(num_clips=8)], None),
    ],
)
def test_a_neck_tells_the_views_of_a_sample_apart(steps, views):
    pipeline = [dict(type='SampleFrames') | step for step in steps]
    cfg = dict(test_dataloader=dict(dataset=dict(pipeline=pipeline)))
    check_views(neck_of(8), cfg, ['test'])
    if views is None:
        check_views(neck_of(None), cfg, ['test'])
        return
    with pytest.raises(InputError, match=f'{views} frames, and model.neck.num_seg'):
        check_views(neck_of(None), cfg, ['test'])


def test_a_window_is_one_view():
    steps = [dict(type='SampleFrames', clip_len=4, num_clips=3)]
    cfg = dict(test_dataloader=dict(dataset=dict(pipeline=steps)))
    check_views(neck_of(None), cfg, ['test'], clips=False)
    steps.append(dict(type='ThreeCrop'))
    with pytest.raises(InputError, match='3 views of 4 frames'):
        check_views(neck_of(None), cfg, ['test'], clips=False)


def test_each_stream_has_frames_of_its_own():
    steps = [
        dict(type='SampleFrames', clip_len=6, num_clips=8),
        dict(type='ComputeFlow', keep_rgb=True),
    ]
    loader = dict(dataset=dict(pipeline=steps))
    cfg = dict(train_dataloader=loader)
    check_views(neck_of(None, 'flow'), cfg, ['train'])
    with pytest.raises(InputError, match=r'8 views of 6 .*model\.streams\.0\.neck'):
        check_views(neck_of(None, 'rgb'), cfg, ['train'])
    stream = dict(type='Recognizer2D', inputs='flow', neck=dict(num_segments=8))
    check_segments(cfg | dict(model=dict(streams=[stream])), ['train'])


def test_a_clip_of_flows_is_one_frame():
    model = dict(type='Recognizer2D', neck=dict(type='RepFlow', num_segments=3))
    sampler = dict(type='SampleFrames', clip_len=5, num_clips=3)
    for flow in (dict(modality='Flow'), {}):
        steps = [sampler] if flow else [sampler, dict(type='ComputeFlow')]
        loader = dict(dataset=dict(pipeline=steps, **flow))
        check_segments(dict(model=model, train_dataloader=loader), ['train'])


@pytest.mark.parametrize(
    ('backbone', 'head', 'sampler', 'wrong'),
    [
        (dict(num_segments=4), {}, dict(clip_len=8), None),
        (dict(num_segments=4), {}, dict(clip_len=1, num_clips=8), None),
        (dict(num_segments=4), {}, dict(clip_len=6, num_clips=2), 'model.backbone'),
        ({}, dict(num_segments=4), dict(num_clips=6), 'model.cls_head'),
        ({}, {}, dict(num_clips=6), None),
    ],
)
def test_layers_get_whole_clips(backbone, head, sampler, wrong):
    pipeline = [dict(type='DecordInit'), dict(type='SampleFrames', **sampler)]
    model = dict(type='Recognizer2D', backbone=SPLICE | backbone, cls_head=head)
    dataset = dict(type='RepeatDataset', dataset=dict(pipeline=pipeline))
    cfg = dict(model=model, train_dataloader=dict(dataset=dataset))
    if wrong is None:
        check_segments(cfg, ['train'])
        return
    with pytest.raises(InputError, match=f'{wrong}.num_segments is 4, .* of 6 frames'):
        check_segments(cfg, ['train'])


def test_testing_views_of_one_video_at_a_time(plugin):
    options = {'model.test_cfg': dict(max_testing_views=2)}
    cfg = read_config('rgb_r18_motion', options)
    with pytest.raises(InputError, match='test_dataloader.batch_size is .*: set it to'):
        check_config(cfg, 'test')


def test_what_mmengine_takes(plugin):
    options = {'log_level': 20, 'train_cfg.val_begin': 0}
    check_config(read_config('rgb_r18_motion', options), 'train')
