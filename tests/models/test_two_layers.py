"""A spliced network with two layers, from training to the published file."""

import pytest
import torch

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.commands import publish_model
from repflow_mm.inference.load import load
from tests.helpers.faults.runs import HALF, differences, train_here, write_config

# Of the config that a run is written with: half a ResNet-18, dropout, EMA.
_TWICE = """
flow = dict(flow_channels=4, n_iters=2)
backbone = dict(type='FlowAugmented', after='layer2', flow=flow, num_segments=8)
inner = dict(_base_.model.backbone, **{half})
backbone['backbone'] = dict(backbone, backbone=inner, after='layer1')
model['backbone'] = dict(backbone, _delete_=True)
del flow, backbone, inner
default_hooks['checkpoint']['max_keep_ckpts'] = 2
"""


@pytest.mark.slow
def test_trained_resumed_averaged_and_published(plugin, motion_set, tmp_path):
    config = write_config(tmp_path, motion_set, workers=0, within_epoch=0)
    config.write_text(config.read_text() + _TWICE.format(half=HALF['backbone']))
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    train_here(config, whole, '--seed', '5')
    train_here(config, parts, '--resume', str(whole / 'epoch_1.pth'))
    checkpoint = whole / 'epoch_2.pth'
    saved = load_checkpoint(checkpoint)
    assert differences(saved, load_checkpoint(parts / 'epoch_2.pth')) == []
    for name in ('flow', 'flow2'):
        averaged = saved['state_dict'][f'backbone.{name}.bn.weight']
        trained = saved['ema_state_dict'][f'module.backbone.{name}.bn.weight']
        assert averaged.any() and not torch.equal(averaged, trained)

    clip = torch.rand(1, 1, 3, 8, 56, 56) * 255
    model = load(config, checkpoint, 'cpu').model
    state = dict(model.state_dict())
    assert not differences(dict(saved['state_dict']), state)
    expected = scores(model, clip)
    for name in ('slim.pth', 'slim.safetensors'):
        publish_model.main([str(checkpoint), str(tmp_path / name)])
        (slim,) = tmp_path.glob(f'slim-*{name[4:]}')
        again = scores(load(config, slim, 'cpu').model, clip)
        torch.testing.assert_close(again, expected, rtol=0, atol=0)
    for layer in (model.backbone.flow, model.backbone.flow2):  # each has a part in it
        before = scores(model, clip)
        torch.nn.init.zeros_(layer.bn.weight)
        assert not torch.equal(scores(model, clip), before)


def scores(model, clip: torch.Tensor) -> torch.Tensor:
    from mmaction.structures import ActionDataSample

    data = dict(inputs=list(clip), data_samples=[ActionDataSample()])
    with torch.no_grad():
        (sample,) = model.test_step(data)
    return sample.pred_score.clone()
