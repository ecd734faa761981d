"""A warning before training if sampled frames are too far apart to show motion."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from torch import nn

FAR = [
    (dict(type='SampleFrames', clip_len=1, num_clips=8), 'clip_len=1, num_clips=8'),
    (dict(type='SampleFrames', clip_len=8, frame_interval=30), 'frame_interval=30'),
    (dict(type='UniformSample', clip_len=8), 'UniformSample'),
]
NEAR = [
    dict(type='SampleFrames', clip_len=8, frame_interval=8, num_clips=10),
    dict(type='SampleFrames', clip_len=1, num_clips=1),
    dict(type='DenseSampleFrames', clip_len=1, frame_interval=4, num_clips=8),
]


def warnings(sampler: dict, model: nn.Module) -> list[str]:
    from mmaction.registry import TRANSFORMS
    from mmengine.dataset import Compose

    from repflow_mm.engine.hooks import CheckSamplingHook

    pipeline = Compose([TRANSFORMS.build(sampler), TRANSFORMS.build(sampler)])
    dataset = SimpleNamespace(dataset=SimpleNamespace(pipeline=pipeline))
    loader = SimpleNamespace(dataset=SimpleNamespace(datasets=[dataset]))
    runner = SimpleNamespace(model=model, train_dataloader=loader, logger=Mock())
    CheckSamplingHook().before_train(runner)
    return [call.args[0] for call in runner.logger.warning.call_args_list]


def motion() -> nn.Module:
    from repflow_mm.layers import RepresentationFlow

    return nn.ModuleDict(dict(flow=RepresentationFlow(4, flow_channels=2)))


@pytest.mark.parametrize(('sampler', 'said'), FAR)
def test_frames_far_apart(plugin, sampler, said):
    (line,) = warnings(sampler, motion())
    assert said in line and 'clip_len=8, frame_interval=2' in line
    assert not warnings(sampler, nn.Linear(1, 1))


@pytest.mark.parametrize('sampler', NEAR)
def test_neighbouring_frames(plugin, sampler):
    assert not warnings(sampler, motion())
