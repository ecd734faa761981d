"""What is refused before a run, and what MMEngine takes and we do not refuse."""

import pytest

from repflow_mm.config import read_config
from repflow_mm.config.segments import check_segments
from repflow_mm.engine.check_config import check_config
from repflow_mm.errors import InputError

SPLICE = dict(type='FlowAugmented', after='layer2', backbone=dict(type='ResNet'))


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
