"""What is refused before a run, and what MMEngine takes and we do not refuse."""

import pytest

from repflow_mm.config import read_config
from repflow_mm.engine.check_config import check_config
from repflow_mm.engine.segments import check_segments
from repflow_mm.errors import InputError

SPLICE = dict(type='FlowAugmented', after='layer2', backbone=dict(type='ResNet'))


@pytest.mark.parametrize(
    ('neck', 'head', 'steps', 'views'),
    [
        ({}, 'TSNHead', [dict(clip_len=4, num_clips=3)], '3 views of 4 frames'),
        ({}, 'TSNHead', [dict(num_clips=8), dict(type='TenCrop')], '10 views of 8'),
        ({}, 'TSNHead', [dict(num_clips=8, twice_sample=True)], '2 views of 8'),
        ({}, 'TSNHead', [dict(num_clips=8)], None),
        (dict(num_segments=4), 'TSNHead', [dict(clip_len=4, num_clips=3)], None),
        ({}, dict(type='TSMHead', num_segments=8), [dict(num_clips=8)] * 2, None),
        (dict(type='TPN'), 'TSNHead', [dict(clip_len=4, num_clips=3)], None),
    ],
)
def test_a_neck_is_told_apart_the_views_of_a_sample(plugin, neck, head, steps, views):
    head = dict(type=head) if isinstance(head, str) else head
    neck = dict(type='RepFlow') | neck
    model = dict(type='Recognizer2D', backbone=dict(type='ResNet'), neck=neck)
    pipeline = [dict(type='SampleFrames') | step for step in steps]
    loader = dict(dataset=dict(pipeline=pipeline))
    cfg = dict(model=model | dict(cls_head=head), test_dataloader=loader)
    if views is None:
        check_segments(cfg, ['test'])
        return
    with pytest.raises(InputError, match=f'{views}.* model.neck.num_segments is not'):
        check_segments(cfg, ['test'])


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
