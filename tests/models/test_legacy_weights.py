"""Conversion of the authors' complete network, and rejection of other weights."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from repflow_mm.commands.convert_authors_checkpoint import main
from repflow_mm.models.legacy_weights import convert_authors_weights
from tests.helpers.paths import GOLDEN, ROOT

START = dict(
    img_grad=np.reshape((-0.5, 0, 0.5), (1, 1, 1, 3)),
    img_grad2=np.reshape((-0.5, 0, 0.5), (1, 1, 3, 1)),
    t=0.3,
    l=0.15,
    a=0.25,
) | dict.fromkeys(
    ('f_grad', 'f_grad2', 'div', 'div2'), np.reshape((-1, 1), (1, 1, 2, 1))
)


@pytest.fixture(scope='module')
def golden() -> dict:
    """Keys, shapes, a seed, and the logits of the authors' network."""
    path = GOLDEN / 'authors_r50_model.json'
    if not path.is_file():
        pytest.skip(f'no {path.name} in {GOLDEN}')
    return json.loads(path.read_text())


@pytest.fixture(scope='module')
def weights(golden) -> dict[str, torch.Tensor]:
    """The state dict of the golden logits, recreated by its recipe."""
    rng = np.random.default_rng(golden['seed'])
    made = {}
    for key, shape in golden['keys']:
        if key.endswith('num_batches_tracked'):
            made[key] = torch.zeros((), dtype=torch.long)
            continue
        noise = rng.standard_normal(shape).astype(np.float32)
        name = key.removeprefix('rep_flow.')
        if key.endswith('running_var'):
            value = 1 + 0.1 * np.abs(noise)
        elif key.endswith('running_mean'):
            value = 0.1 * noise
        elif name in ('bottleneck.weight', 'unbottleneck.weight'):
            value = noise / np.sqrt(shape[1])
        elif name != key:
            start = START.get(name, 0.0 if name == 'bn.bias' else 1.0)
            value = start * (1 + 0.05 * noise)
        elif len(shape) > 1:
            value = noise * np.sqrt(2 / np.prod(shape[1:]))
        else:
            value = (1 if key.endswith('weight') else 0) + 0.1 * noise
        made[key] = torch.from_numpy(np.asarray(value, np.float32))
    return made


def model_of(num_classes: int):
    from mmaction.registry import MODELS

    path = ROOT / 'configs' / 'legacy' / 'authors_r50_kinetics400.py'
    cfg = Config.fromfile(path)
    cfg.model.cls_head.num_classes = num_classes
    return MODELS.build(cfg.model)


def test_logits_of_the_whole_network(plugin, golden, weights):
    model = model_of(golden['num_classes'])
    model.load_state_dict(convert_authors_weights(weights))
    model.double().eval()
    rng = np.random.default_rng(golden['seed'] + 1)
    clip = rng.uniform(-1, 1, golden['input_shape']).astype(np.float32)
    with torch.no_grad():
        logits = model.cls_head(model.backbone(torch.from_numpy(clip).double()))
    expected = torch.tensor(golden['logits'], dtype=torch.float64)
    error = (logits - expected).square().mean() / expected.square().mean()
    # One rounding of the input, 2e-16 of it, moves the logits by up to 1.1e-11: the
    # flow layer divides by small gradients. Processors round in different orders.
    assert error.sqrt() < 1e-10


def test_the_input_range_is_theirs(plugin):
    model = model_of(2)
    rgb = torch.tensor((0, 51, 255), dtype=torch.uint8)
    clip = rgb.view(1, 1, 3, 1, 1).expand(1, 3, 3, 1, 1)
    data = dict(inputs=[clip], data_samples=[])
    seen = model.data_preprocessor(data)['inputs'][0, 0, 0].flatten()
    torch.testing.assert_close(seen, torch.tensor((1.0, 0.6, -1.0)))


def test_file_to_file(plugin, golden, weights, tmp_path, capsys):
    source, target = tmp_path / 'theirs.pt', tmp_path / 'ours.pth'
    parallel = {f'module.{key}': value for key, value in weights.items()}
    torch.save(parallel, source)
    main([str(source), str(target)])
    saved = torch.load(target)['state_dict']
    model_of(golden['num_classes']).load_state_dict(saved)


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        (
            lambda w: w.pop('res4.blocks.3.layers.8.weight'),
            'res4.blocks.3.layers.8.weight is',
        ),
        (lambda w: w.pop('classify.weight'), 'classify.weight is missing'),
        (
            lambda w: w.update({'rep_flow.t': torch.zeros(3)}),
            r'rep_flow.t has shape \(3',
        ),
        (lambda w: w.update(extra=torch.zeros(1)), 'extra is not part of'),
    ],
)
def test_what_does_not_fit_is_named(plugin, weights, change, match):
    changed = dict(weights)
    change(changed)
    with pytest.raises(ValueError, match=match):
        convert_authors_weights(changed)


def test_a_truncated_file_ends_in_one_line(plugin, weights, tmp_path, capsys):
    source = tmp_path / 'theirs.pt'
    torch.save(weights, source)
    source.write_bytes(source.read_bytes()[:100_000])
    with pytest.raises(SystemExit):
        main([str(source), str(tmp_path / 'ours.pth')])
    assert 'theirs.pt cannot be read' in capsys.readouterr().err
    assert not (tmp_path / 'ours.pth').exists()
