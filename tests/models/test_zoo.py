"""Every CNN recognizer in the mmaction2 wheel, with motion layers added.

Each is built from its own config with a layer after a sub-module (`FlowAugmented`) and,
where possible, another one as its neck, takes a training step in which both learn, and
runs a test step.
"""

import sys

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper

from repflow_mm.errors import InputError
from tests.helpers.recognizers import NO_NECK, ZOO, config_of, spliced, with_neck
from tests.helpers.steps import ops_without_shift


@pytest.fixture(autouse=True)
def _wheel(plugin, monkeypatch):
    """TIN needs compiled ops of full mmcv, replaced here by a zero shift."""
    monkeypatch.setitem(sys.modules, 'mmcv.ops', ops_without_shift())


QUICK = ('TSN', 'TSM', 'I3D', 'SlowFast, slow path')


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in ZOO
    ],
)
def test_flow_behind_a_stage_and_as_a_neck_learns(name):
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample

    cfg, shape = spliced(name), ZOO[name][2]
    if name not in NO_NECK:
        cfg, shape = with_neck(cfg, shape)
    model = MODELS.build(cfg).train()
    layers = [model.backbone.flow] + ([] if name in NO_NECK else [model.neck])
    before = [layer.bn.weight.detach().clone() for layer in layers]
    clips = torch.randint(0, 255, (2, *shape)).float()
    samples = [ActionDataSample().set_gt_label(n) for n in range(2)]
    data = dict(inputs=list(clips), data_samples=samples)
    batch = [data] if type(model).__name__ == 'RecognizerOmni' else data
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    losses = model.train_step(batch, optimizer)
    assert torch.isfinite(losses['loss'])
    for layer, weight in zip(layers, before, strict=True):
        assert not torch.equal(weight, layer.bn.weight)
    model.eval()
    if getattr(model, 'test_cfg', None):
        model.test_cfg.pop('max_testing_views', None)  # for single samples
    # Three crops of each sample: their frames one after another, or views of a clip.
    data['inputs'] = list(clips.repeat(1, 3, *[1] * (clips.dim() - 2)))
    with torch.no_grad():
        np.random.seed(0)  # TRN draws frames in evaluation too
        results = model.test_step(data)
        np.random.seed(0)
        alone = model.test_step(dict(inputs=list(clips[:1]), data_samples=samples[:1]))
    for result in results:
        assert result.pred_score.isfinite().all()
    # Equal crops give the scores of one: flow does not cross from crop to crop.
    torch.testing.assert_close(results[0].pred_score, alone[0].pred_score)


def test_tpn_is_a_neck_already():
    for name in ('TPN, SlowOnly', 'TPN, TSM'):
        assert config_of(name).neck.type == 'TPN'


def test_recognizer_omni_takes_no_neck():
    from mmaction.registry import MODELS

    cfg, _ = with_neck(config_of('Omni'), ZOO['Omni'][2])
    with pytest.raises(TypeError, match="'neck'"):
        MODELS.build(cfg)


@pytest.mark.parametrize(
    ('name', 'error'),
    [
        ('SlowFast, slow path', 'the backbone returns 2 outputs'),
        (
            'C3D',
            r'returns features of shape \(1, 4096\): insert the layer after a stage',
        ),
    ],
)
def test_a_neck_refuses_a_backbone_without_one_map(name, error):
    from mmaction.registry import MODELS

    cfg, _ = with_neck(config_of(name), ZOO[name][2])
    with torch.device('meta'):
        backbone, neck = MODELS.build(cfg.backbone), MODELS.build(cfg.neck)
        features = backbone(torch.empty(1, *ZOO[name][2][1:]))
        with pytest.raises(InputError, match=error):
            neck(features)


@pytest.mark.parametrize('name', ['TSM', 'I3D', 'SlowOnly', 'CSN'])
def test_a_spliced_model_starts_with_the_zoo_models_scores(name):
    from mmaction.registry import MODELS

    shape = ZOO[name][2]
    plain = MODELS.build(config_of(name)).eval()
    model = MODELS.build(spliced(name)).eval()
    missing = model.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(k.startswith('backbone.flow.') for k in missing.missing_keys)
    clip = torch.randn(1, *shape)
    with torch.no_grad():
        expected, _ = plain.extract_feat(clip, test_mode=True)
        actual, _ = model.extract_feat(clip, test_mode=True)
    torch.testing.assert_close(actual, expected)
