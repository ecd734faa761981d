"""How many classes there are."""

import pytest
from mmaction.registry import MODELS
from torch import nn

from repflow_mm.class_count import class_count


@pytest.mark.parametrize('video_nl_head', [True, False])
def test_videos_of_a_head_for_images_and_videos(video_nl_head):
    head = dict(type='OmniHead', in_channels=8, image_classes=10, video_classes=4)
    model = nn.Module()
    model.cls_head = MODELS.build(dict(head, video_nl_head=video_nl_head))
    assert class_count(model) == 4


def test_other_recognizers():
    model = nn.Module()
    assert class_count(model) is None
    model.cls_head = MODELS.build(dict(type='TSNHead', in_channels=8, num_classes=3))
    assert class_count(model) == 3
