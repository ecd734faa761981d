"""MMAction2's recognizers compute the same, bit by bit, where the plugin is imported.

Two samples of three crops, as its own tests have them, for the kinds of recognizers
that those cover; C3D apart, which takes a minute.
"""

import pickle
import sys

import pytest
import torch
from mmengine.config import Config

from tests.helpers.steps import CROPS, SAMPLES, ops_without_shift, steps

NAMES = (
    'c2d/c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb',
    'csn/ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb',
    'i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb',
    'mvit/mvit-small-p244_k400-maskfeat-pre_8xb32-16x4x1-100e_kinetics400-rgb',
    'r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb',
    'slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb',
    'slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb',
    'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb',
    'tanet/tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb',
    'timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb',
    'tin/tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb',
    'tpn/tpn-slowonly_r50_8xb8-8x8x1-150e_kinetics400-rgb',
    'trn/trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv1-rgb',
    'tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb',
    'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb',
    'uniformer/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb',
    'videomaev2/vit-small-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400',
    'x3d/x3d_s_13x6x1_facebook-kinetics400-rgb',
)
FRAMES = dict(mvit=16, videomaev2=16, slowfast=32)  # others take any number


@pytest.mark.slow
def test_the_plugin_changes_no_bit_of_them(
    plugin, motion_set, run_python, tmp_path, monkeypatch
):
    from tests.helpers import zoo

    monkeypatch.setitem(sys.modules, 'mmcv.ops', ops_without_shift())
    cases = {}
    for name in NAMES:
        cfg = Config.fromfile(zoo.CONFIGS / f'{name}.py')
        tiny = zoo.tiny_config(cfg, motion_set)
        frames = FRAMES.get(zoo.family(name), 8)
        per_frame = cfg.model.type == 'Recognizer2D'
        shape = (frames, 3, 64, 64) if per_frame else (1, 3, frames, 64, 64)
        cases[name] = tiny['model'], tiny.get('optim_wrapper'), shape
    here = tmp_path / 'cases.pkl', tmp_path / 'without.pth'
    here[0].write_bytes(pickle.dumps(cases))
    result = run_python('-m', 'tests.helpers.steps', *here, threads=1)
    assert result.returncode == 0, result.stderr[-2000:]
    without = torch.load(here[1])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, case in cases.items():
            found = steps(*case)
            assert found.pop('weights') == without[name].pop('weights'), name
            torch.testing.assert_close(
                found, without[name], rtol=0, atol=0, msg=lambda m, n=name: f'{n}: {m}'
            )
            assert len(found['scores']) == SAMPLES and CROPS == 3
    finally:
        torch.set_num_threads(threads)
