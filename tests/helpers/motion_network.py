"""Fixtures: an untrained network from the demo's config, and videos for it."""

from pathlib import Path

import pytest
import torch

from tests.helpers.paths import MOTION_CONFIG


@pytest.fixture(scope='session')
def checkpoint(plugin, tmp_path_factory) -> Path:
    from mmengine.config import Config
    from mmengine.registry import MODELS

    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(MOTION_CONFIG).model)
    model.init_weights()
    path = tmp_path_factory.mktemp('checkpoint') / 'motion.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return path


@pytest.fixture(scope='session')
def recognizer(checkpoint):
    from repflow_mm.inference.load import load

    return load(MOTION_CONFIG, checkpoint, 'cpu')


@pytest.fixture(scope='session')
def model(recognizer):
    return recognizer.model


@pytest.fixture(scope='session')
def long_video(plugin, tmp_path_factory) -> Path:
    """27 frames of 64x64: three windows of 8 and one that overlaps."""
    from repflow_mm.synthetic import MotionSet

    root = tmp_path_factory.mktemp('video') / 'set'
    MotionSet(train_clips=1, val_clips=1, size=64, frames=27).write(root)
    return next(root.glob('videos_val/rotate_clockwise/*.mp4'))


@pytest.fixture(scope='session')
def short_video(plugin, tmp_path_factory) -> Path:
    """Three frames."""
    from repflow_mm.synthetic import MotionSet

    root = tmp_path_factory.mktemp('video') / 'set'
    MotionSet(train_clips=1, val_clips=1, size=64, frames=3).write(root)
    return next(root.glob('videos_val/still/*.mp4'))
