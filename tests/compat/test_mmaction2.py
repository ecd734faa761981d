"""Faults of MMAction2."""

import signal
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from repflow_mm import compat
from tests.helpers.compat import fault
from tests.helpers.paths import OLD_STACK


def test_drn_stands_in_only_where_it_is_missing(plugin):
    entry = fault('drn')
    assert compat.state(entry) == 'patched' and not entry.present()
    drn = sys.modules['mmaction.models.localizers.drn.drn'].DRN
    with pytest.raises(ValueError, match='mmaction2#2714'):
        drn()


def test_hue_jitter_works_and_is_what_numpy_1_computed(plugin):
    from mmaction.datasets.transforms import ColorJitter

    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.float32)
    for factor in (-0.1, 0.0, 0.1):
        assert ColorJitter.adjust_hue(image, factor).dtype == np.float32
    for factor in (-0.5, -0.1, 0.1, 0.5):
        hue_shift = 2 * int(factor * 255)  # OpenCV's hue is in steps of 2 degrees
        red = np.array([[[255.0, 0.0, 0.0]]])
        out = ColorJitter.adjust_hue(red, factor)[0, 0] / 255
        import colorsys

        hue = 360 * colorsys.rgb_to_hsv(*out)[0]
        assert (hue - hue_shift + 180) % 360 - 180 == pytest.approx(0, abs=2)


@pytest.mark.slow
def test_a_truncated_avi_does_not_end_the_process(run_python, tmp_path):
    path = tmp_path / 'cut.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 25, (64, 48))
    noise = np.random.default_rng(0)
    for _ in range(30):
        writer.write(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    read = f"""
import numpy
from mmaction.registry import TRANSFORMS
results = TRANSFORMS.build(dict(type='DecordInit'))(dict(filename={str(path)!r}))
results['frame_inds'] = numpy.arange(results['total_frames'])
TRANSFORMS.build(dict(type='DecordDecode'))(results)
print('frames', results['total_frames'])
"""
    patched = run_python('-c', 'import repflow_mm.plugin' + read)
    assert patched.returncode in (0, 1), patched.stderr  # read, or an exception
    if OLD_STACK.is_dir():  # which can be imported without us
        plain = 'import mmaction.datasets.transforms' + read
        assert run_python('-c', plain, stack='old').returncode == -signal.SIGSEGV


def test_tpns_head_tests_the_classifier_it_has(plugin):
    from mmaction.registry import MODELS

    assert compat.state(fault('TPN')) == 'patched'
    head = MODELS.build(dict(type='TPNHead', num_classes=3, in_channels=4)).eval()
    x = torch.rand(2, 4, 1, 2, 2)
    for _ in range(2):  # also after further training
        nn.init.normal_(head.fc_cls.weight)
        scores = head(x, fcn_test=True)
        torch.testing.assert_close(scores, head.fc_cls(x.mean((2, 3, 4))))
    assert set(head.state_dict()) == {'fc_cls.weight', 'fc_cls.bias'}


def test_a_config_that_the_metafile_names_without_its_suffix(plugin, tmp_path):
    from mmengine.config import Config

    name = 'c2d/c2d_r50-in1k-pre_8xb32-16x4x1-100e_kinetics400-rgb'
    assert compat.state(fault('does not find two')) == 'patched'
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'mmaction::recognition/{name}.py'\n")
    assert Config.fromfile(path).model.backbone.type == 'C2D'
    path.write_text("_base_ = 'mmaction::recognition/c2d/nowhere.py'\n")
    with pytest.raises(FileNotFoundError):
        Config.fromfile(path)
