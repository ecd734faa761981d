"""What a recognizer tells its motion layers when it is built."""

import pytest
import torch

from repflow_mm.errors import InputError

HEAD = dict(num_classes=5, in_channels=512)
RESNET = dict(type='ResNet', depth=18)
TRN = dict(type='TRNHead', num_segments=4, relation_type='TRN', **HEAD)
NECK = dict(type='RepFlow', flow_channels=4, n_iters=2, fusion='add', temporal='same')


def build(head: dict, backbone: dict = RESNET, **parts):
    from mmaction.registry import MODELS

    cfg = dict(type='Recognizer2D', backbone=backbone, cls_head=head, **parts)
    return MODELS.build(cfg)


def spliced(**options) -> dict:
    return dict(type='FlowAugmented', backbone=RESNET, after='layer2', **options)


def test_a_neck_takes_channels_and_segments_from_the_head(plugin):
    neck = build(TRN, neck=NECK).neck
    assert neck.in_channels == 512 and neck.num_segments == 4 and neck.keep_frames
    clips = build(dict(type='I3DHead', **HEAD), neck=dict(NECK)).neck
    assert clips.in_channels == 512


def test_a_splice_takes_segments_from_the_head(plugin):
    model = build(TRN, spliced())
    with torch.no_grad():
        assert model.extract_feat(torch.rand(1, 4, 3, 32, 32))[0].shape[:2] == (4, 512)
    from repflow_mm.models import FlowAugmented

    for kind in ('mmaction.FlowAugmented', FlowAugmented):
        (place,) = build(TRN, spliced() | dict(type=kind)).backbone._motion_places
        assert place.frames == 4
    twice = dict(type='FlowAugmented', backbone=spliced(), after='layer3')
    places = build(TRN, twice).backbone._motion_places
    assert [place.frames for place in places] == [4, 4]


@pytest.mark.parametrize(
    ('match', 'parts'),
    [
        (
            'in_channels=256 and TRNHead has 512',
            dict(neck=dict(NECK, in_channels=256)),
        ),
        ('num_segments=8 and TRNHead has 4', dict(neck=dict(NECK, num_segments=8))),
        ('num_segments=8 and TRNHead has 4', dict(backbone=spliced(num_segments=8))),
    ],
)
def test_what_cannot_agree_is_refused_with_both_values(plugin, match, parts):
    with pytest.raises(InputError, match=match):
        build(TRN, **parts)


def test_a_neck_that_needs_clips_is_refused_by_a_network_on_frames(plugin):
    from mmaction.registry import MODELS

    model = dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', depth=18, out_indices=(2, 3)),
        neck=dict(type='ActionFlowNet', in_channels=(256, 512)),
        cls_head=dict(type='TSNHead', num_classes=5, in_channels=512),
    )
    with pytest.raises(InputError, match='ActionFlowNet is a neck of Recognizer3D'):
        MODELS.build(model)


def test_other_necks_and_configs_are_left_alone(plugin):
    head = dict(type='TSNHead', **HEAD)
    backbone, neck = dict(RESNET), dict(NECK)
    cfg = dict(head=head, backbone=backbone, neck=neck)
    before = {key: dict(value) for key, value in cfg.items()}
    build(**cfg)
    assert cfg == before
    assert not build(head).with_neck


def test_frozen_stages_are_frozen_when_ddp_asks(plugin):
    from mmaction.registry import MODELS

    backbone = dict(
        type='ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        conv_cfg=dict(type='Conv3d'),
        norm_cfg=dict(type='BN3d'),
        inflate=(1, 1, 1, 1),
        frozen_stages=1,
    )
    head = dict(type='I3DHead', num_classes=2, in_channels=512)
    model = MODELS.build(dict(type='Recognizer3D', backbone=backbone, cls_head=head))
    stages = model.backbone.conv1, model.backbone.layer1, model.backbone.layer2
    learn = [[p.requires_grad for p in stage.parameters()] for stage in stages]
    assert not any(learn[0] + learn[1]) and all(learn[2])
