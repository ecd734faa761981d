"""Pictures of predictions: which samples they are of."""

from types import SimpleNamespace

import pytest
import torch
from mmaction.structures import ActionDataSample

from repflow_mm.engine.hooks import prediction_pictures
from repflow_mm.errors import InputError


def batch(count: int, **streams) -> tuple[dict, list]:
    clips = [torch.zeros(1, 3, 4, 8, 8, dtype=torch.uint8) for _ in range(count)]
    outputs = [
        ActionDataSample().set_gt_label(0).set_pred_score(torch.tensor([0.3, 0.7]))
        for _ in range(count)
    ]
    return dict(inputs={n: clips for n in streams} if streams else clips), outputs


def draw(folder, data: dict, outputs: list, videos: int = 4) -> list[str]:
    hook = prediction_pictures.PredictionPicturesHook(str(folder))
    loader = SimpleNamespace(dataset=range(videos))
    hook.after_test_iter(SimpleNamespace(test_dataloader=loader), 0, data, outputs)
    return sorted(path.name for path in folder.glob('*.png'))


def test_processes_draw_their_own_samples(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_pictures, 'get_world_size', lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(prediction_pictures, 'get_rank', lambda rank=rank: rank)
        names = draw(tmp_path, *batch(2), videos=3)
    assert names == [f'{n:06d}.png' for n in range(3)]  # the fourth is padding


def test_of_two_streams_rgb_is_drawn(plugin, tmp_path):
    assert draw(tmp_path, *batch(1, flow=True, rgb=True)) == ['000000.png']
    with pytest.raises(InputError, match='packs none: only flow, depth'):
        draw(tmp_path, *batch(1, flow=True, depth=True))
