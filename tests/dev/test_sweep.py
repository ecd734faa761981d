"""A part of `python -m dev.sweep`: two lines in configs of MMAction2, end to end.

A config of each kind, with the layer as its neck or spliced in: train, test, and the
same logits as the plain network's at the start. The whole takes an hour.
"""

import sys

import pytest

from tests.helpers.steps import ops_without_shift

VECTOR, TOKENS = 'its backbone gives a vector', 'tokens inside'
QUICK = (
    ('timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb', 'neck', VECTOR),
    ('timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb', 'splice', TOKENS),
    (
        'tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb',
        'neck',
        'yes',
    ),
)
SLOW = (
    (
        'mvit/mvit-small-p244_k400-maskfeat-pre_8xb32-16x4x1-100e_kinetics400-rgb',
        'neck',
        'its backbone gives tokens besides',
    ),
    ('r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb', 'neck', 'one frame left'),
    ('slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb', 'splice', 'yes'),
    (
        'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb',
        'neck',
        'yes',
    ),
    ('tin/tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv1-rgb', 'splice', 'yes'),
    ('uniformer/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb', 'neck', 'yes'),
    (
        'uniformerv2/uniformerv2-base-p16-res224_clip_u8_kinetics710-rgb',
        'neck',
        VECTOR,
    ),
    ('x3d/x3d_s_13x6x1_facebook-kinetics400-rgb', 'splice', 'yes'),
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    from tests.helpers import zoo

    return zoo.tiny_data(tmp_path_factory.mktemp('sweep') / 'motion')


@pytest.mark.parametrize(
    ('name', 'way', 'ends'),
    [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
)
@pytest.mark.filterwarnings('ignore:RepFlow needs at least 2 frames')
def test_two_lines(plugin, data, tmp_path, monkeypatch, name, way, ends):
    from dev import sweep

    monkeypatch.setitem(sys.modules, 'mmcv.ops', ops_without_shift())
    with sweep.unformatted():
        row = sweep.attempt(name, way, data, tmp_path / 'run', tools=False)
    assert row['result'] != 'fails', row['traceback']
    assert sweep.outcome(row) == ends, row
    # The layer adds zeros; its copy of the maps may be averaged in another order.
    assert row.get('identity', 0) < 1e-6
