"""What is exported computes what the model predicts."""

import pytest
import torch

from repflow_mm.config import read_config
from repflow_mm.errors import InputError
from tests.models.test_late_fusion import config, samples


@pytest.mark.parametrize('average_clips', ['prob', 'score'])
def test_late_fusion_keeps_its_weights(plugin, average_clips):
    from mmaction.registry import MODELS

    from repflow_mm.export.deployable import Deployable

    cfg = config() | dict(weights=(1, 9))
    for stream in cfg['streams']:
        stream['cls_head']['average_clips'] = average_clips
    model = MODELS.build(cfg).eval()
    for stream in model.streams:
        torch.nn.init.normal_(stream.cls_head.fc_cls.weight)
    clips = torch.randint(0, 256, (2, 3, 4, 64, 64), dtype=torch.uint8)
    data = dict(inputs=list(clips[:, None]), data_samples=samples(2))
    with torch.no_grad():
        scores = torch.stack([s.pred_score for s in model.test_step(data)])
        logits = Deployable(model)(clips)
    found = logits.softmax(1) if average_clips == 'prob' else logits
    torch.testing.assert_close(found, scores)


def test_a_flow_stream_is_refused(plugin):
    from mmaction.registry import MODELS

    from repflow_mm.export.deployable import Deployable

    cfg = read_config('two_stream/flow_r18_motion', {'model.backbone.pretrained': None})
    with pytest.raises(InputError, match='on optical flow cannot be exported'):
        Deployable(MODELS.build(cfg.model))
