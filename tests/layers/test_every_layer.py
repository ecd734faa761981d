"""What every motion layer of the package has in common, for each of the registry."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.func import functional_call

from repflow_mm.errors import InputError
from repflow_mm.layers import (
    MotionLayer,
    RepresentationFlow,
    add_motion,
    build_layer,
    slow_parameters,
)
from tests.helpers.every_layer import FORMS, LAYERS, form_name

# Computed of one frame alone, wholly or in part.
SEES_APPEARANCE = {'MFNet', 'MotionSqueeze', 'NonLocal', 'OFF', 'Shift', 'TDM'}
every_form = pytest.mark.parametrize('form', FORMS, ids=form_name)


def built(form: dict, **options) -> MotionLayer:
    torch.manual_seed(0)
    return build_layer(dict(form, zero_init_residual=False) | options, 6)


@every_form
@pytest.mark.parametrize('temporal', ['valid', 'same'])
@pytest.mark.parametrize('size', [(5, 7), (1, 1)])
def test_frames_sizes_and_gradients(form, temporal, size):
    layer = built(form, temporal=temporal, fusion='add')
    frames = layer.min_frames
    assert frames == 2 or form['type'] == 'FcF'
    x = torch.randn(2, 6, frames, *size, requires_grad=True)
    out = layer(x)
    kept = frames if temporal == 'same' else frames - (layer.min_frames - 1)
    assert out.shape == (2, 6, kept, *size) and out.dtype == x.dtype
    out.square().sum().backward()
    for tensor in (x, *layer.parameters()):
        assert tensor.grad is not None and tensor.grad.isfinite().all()


@every_form
def test_every_parameter_learns(form):
    layer = built(form)
    layer(torch.randn(2, 6, 4, 6, 7)).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad.any(), name


@every_form
def test_gradients_are_those_of_finite_differences(form):
    layer = built(form).double().eval()
    x = torch.randn(1, 6, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*layer.named_parameters(), strict=True)

    def function(x, *weights):
        return functional_call(layer, dict(zip(names, weights, strict=True)), x)

    assert torch.autograd.gradcheck(function, (x, *weights), fast_mode=True)


@every_form
def test_copies_and_checkpoints(form):
    layer = built(form).train()
    x = torch.randn(2, 6, 4, 6, 7)
    layer(x)  # statistics other than the initial ones
    expected = layer.eval()(x)
    assert torch.equal(copy.deepcopy(layer)(x), expected)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = build_layer(form, 6).eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), expected)


@every_form
def test_add_starts_as_the_identity(form):
    x = torch.randn(2, 6, 4, 6, 7)
    layer = build_layer(dict(form, fusion='add', temporal='same'), 6)
    assert layer.starts_as_identity and torch.equal(layer(x), x)
    for parameter in layer.parameters():
        if not parameter.any():
            nn.init.ones_(parameter)
    assert not torch.allclose(layer(x), x)
    layer.reset_parameters()
    assert torch.equal(layer(x), x)


@every_form
def test_a_clip_does_not_see_its_neighbours(form):
    layer = built(form).eval()
    x = torch.randn(3, 6, 4, 6, 7)
    torch.testing.assert_close(layer(x)[1:2], layer(x[1:2]))
    assert layer(x[:0]).shape == (0, *layer(x).shape[1:])


@every_form
def test_a_static_clip_has_no_motion(form):
    x = torch.randn(1, 6, 1, 6, 7).expand(-1, -1, 4, -1, -1)
    assert built(form).eval()(x).any() == (form['type'] in SEES_APPEARANCE)


@every_form
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(form, dtype):
    layer = built(form, fusion='add').eval()
    x = torch.randn(1, 6, 4, 6, 7)
    expected = layer(x)
    with torch.autocast('cpu', dtype):
        out = layer(x)
    assert out.isfinite().all()
    error = (out - expected).square().mean() / expected.square().mean()
    assert error.sqrt() < 0.05
    assert layer.to(dtype)(x.to(dtype)).dtype == dtype


@every_form
def test_behind_a_stage_of_a_network_on_clips_or_frames(form):
    for conv, shape, frames in (
        (nn.Conv3d(3, 6, (1, 3, 3)), (2, 3, 4, 16, 24), None),
        (nn.Conv2d(3, 6, 3), (8, 3, 16, 24), 4),
    ):
        network = nn.Sequential(conv, nn.ReLU()).eval()
        x = torch.randn(shape)
        expected = network(x)
        add_motion(network, '1', frames, **form)
        assert isinstance(network.flow, MotionLayer)
        torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize('form', FORMS, ids=form_name)
@pytest.mark.parametrize('channels', [64, 512])
def test_an_equal_budget(form, channels):
    cfg = {k: v for k, v in form.items() if k != 'flow_channels'}
    if 'budget' not in LAYERS[form['type']].options():
        with pytest.raises(InputError, match="has no option 'budget'"):
            build_layer(cfg | dict(budget='equal'), channels)
        return
    layer = build_layer(cfg | dict(budget='equal', fusion='add'), channels)
    sizes = [
        sum(p.numel() for p in module.parameters())
        for module in (layer, RepresentationFlow(channels))
    ]
    assert abs(sizes[0] / sizes[1] - 1) <= 0.02
    with pytest.raises(InputError, match='both set the width'):
        build_layer(form | dict(budget='equal'), channels)


@every_form
def test_wrong_options_and_shapes(form):
    with pytest.raises(InputError, match="has no option 'fusio', did you mean"):
        build_layer(dict(form, fusio='add'), 6)
    if 'flow_channels' in form:
        with pytest.raises(InputError, match='flow_channels must be at least 1, got 0'):
            build_layer(dict(form, flow_channels=0), 6)
    layer = build_layer(form, 6)
    for shape, match in (
        ((2, 6, 5, 5), 'needs features'),
        ((1, 5, 4, 5, 5), 'built for 6 channels and got 5'),
        ((1, 6, 1, 5, 5), 'a clip of 1: sample at least'),
    ):
        with pytest.raises(InputError, match=match):
            layer(torch.rand(shape))


@pytest.mark.slow
@every_form
def test_one_graph_under_compile(form):
    torch._dynamo.reset()  # it counts recompilations over all layers
    layer = built(form)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend='aot_eager')
    x = torch.randn(2, 6, 4, 6, 7)
    expected, actual = layer(x), compiled(x)
    torch.testing.assert_close(actual, expected)
    expected.square().sum().backward()
    actual.square().sum().backward()
    for a, b in zip(compiled.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-4)


@every_form
def test_built_on_the_meta_device(form):
    layer = built(form)
    x = torch.randn(1, 6, 3, 6, 7)
    expected = layer.eval()(x)
    with torch.device('meta'):
        empty = built(form)
    empty.to_empty(device='cpu').load_state_dict(layer.state_dict(), assign=False)
    torch.testing.assert_close(empty.eval()(x), expected)
    with torch.device('meta'):
        empty = built(form)
    empty.to_empty(device='cpu')
    with torch.no_grad():
        for tensor in empty.parameters():
            tensor.fill_(float('nan'))
    for module in empty.modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    assert empty.eval()(x).isfinite().all()
    fresh = dict(built(form).named_parameters())
    for name, parameter in slow_parameters(empty).items():
        torch.testing.assert_close(parameter, fresh[name])


@every_form
def test_gradients_by_torch_func(form):
    layer = built(form).double().eval()
    x = torch.randn(1, 6, 3, 4, 5, dtype=torch.float64)
    along = torch.randn_like(x)

    def loss(x):
        return layer(x).square().sum()

    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(loss)(x), expected)
    _, tangent = torch.func.jvp(loss, (x,), (along,))
    torch.testing.assert_close(tangent, (expected * along).sum())
