"""Channels-last weights: of which layers, resumed, averaged, published, loaded."""

import pytest
import torch
from torch import nn

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.commands import publish_model
from repflow_mm.config import read_config
from repflow_mm.inference.load import load
from repflow_mm.layers.memory_format import to_channels_last
from tests.helpers.faults.runs import HALF, differences, train_here, write_config

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def converted(model: nn.Module) -> bool:
    return all(
        p.is_contiguous(memory_format=FORMATS[p.dim()])
        for p in model.parameters()
        if p.dim() in FORMATS
    )


@pytest.mark.parametrize(
    'config',
    [
        'repflow_r18_block2_motion',
        'table7_2plus1d/repflow_r2plus1d18_block3_tinykinetics',
    ],
)
def test_same_scores_and_gradients(plugin, config):
    from mmaction.registry import MODELS

    cfg = read_config(config, {'model.backbone.pretrained': None})
    model = MODELS.build(cfg.model).eval().double()
    clips = torch.rand(2, 1, 3, 4, 32, 32, dtype=torch.float64)

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        features = model.extract_feat(clips, stage='backbone')[0]
        features.square().mean().backward()
        return [features.detach(), *(p.grad for p in model.backbone.parameters())]

    assert not converted(model)
    expected = run()
    assert converted(to_channels_last(model))
    for found, wanted in zip(run(), expected, strict=True):
        torch.testing.assert_close(
            found, wanted, rtol=1e-6, atol=1e-9 * float(wanted.abs().max())
        )


@pytest.mark.slow
def test_trained_resumed_averaged_and_published(plugin, motion_set, tmp_path):
    config = write_config(tmp_path, motion_set, workers=0, within_epoch=0)
    half = f"model['backbone'].update({HALF['backbone']})\n"
    keep = "default_hooks['checkpoint']['max_keep_ckpts'] = 2\nchannels_last = True\n"
    config.write_text(config.read_text() + half + keep)
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    train_here(config, whole, '--seed', '5')
    train_here(config, parts, '--resume', str(whole / 'epoch_1.pth'))
    saved = load_checkpoint(whole / 'epoch_2.pth')
    assert differences(saved, load_checkpoint(parts / 'epoch_2.pth')) == []
    for name in ('state_dict', 'ema_state_dict'):
        weights = [w for w in saved[name].values() if w.dim() == 4]
        assert weights
        assert all(w.is_contiguous(memory_format=FORMATS[4]) for w in weights)
    publish_model.main([str(whole / 'epoch_2.pth'), str(tmp_path / 'slim.safetensors')])
    (slim,) = tmp_path.glob('slim-*')
    assert converted(load(config, slim, 'cpu').model)
    assert not converted(load(config, slim, 'cpu', dict(channels_last=False)).model)
