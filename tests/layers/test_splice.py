"""add_motion in hand-written networks: positions, names, freezing, conversion."""

import copy
import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

import repflow_mm
from repflow_mm.errors import InputError
from repflow_mm.layers import add_motion, slow_parameters
from tests.helpers.libraries import network_of

FLOW = dict(flow_channels=4, n_iters=2)


class Cnn(nn.Module):
    """Two stages over frames, `(N * T, 3, H, W)` to `(N * T, 5)`."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = self.stage(3, 6)
        self.layer2 = self.stage(6, 8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    @staticmethod
    def stage(inputs: int, outputs: int) -> nn.Sequential:
        conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x):
        return self.fc(self.pool(self.layer2(self.layer1(x))).flatten(1))


class ChannelsLast(nn.Module):
    """Like ConvNeXt: normalised over channels in the last dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, stride=4)
        self.norm = nn.LayerNorm(6)
        self.stage = nn.Identity()

    def forward(self, x):
        x = self.norm(self.stem(x).permute(0, 2, 3, 1))
        return self.stage(x.permute(0, 3, 1, 2)).mean((2, 3))


def scramble(model) -> None:
    """Leave the identity, so that the layers have an effect."""
    for name, module in model.named_modules():
        if name.endswith('flow.bn') or name.endswith('flow2.bn'):
            nn.init.normal_(module.weight)


FRAMES = torch.rand(8, 3, 32, 32)


def test_frames_of_a_network_written_by_hand():
    model = Cnn().eval()
    expected, keys = model(FRAMES), set(model.state_dict())
    assert repflow_mm.add_motion(model, 'layer1', frames=4, **FLOW) is model
    torch.testing.assert_close(model(FRAMES), expected)  # starts as the identity
    assert all(k.startswith('flow.') for k in set(model.state_dict()) - keys)
    scramble(model)
    one = model(FRAMES[:4])
    torch.testing.assert_close(model(FRAMES)[:4], one)  # clips do not mix
    assert not torch.allclose(one, expected[:4])
    model.train()(FRAMES).square().sum().backward()
    assert all(p.grad is not None for p in model.flow.parameters())
    with pytest.raises(InputError, match='6 frames does not divide into clips'):
        model(FRAMES[:6])


def test_clips_of_a_3d_network():
    model = nn.Sequential(nn.Conv3d(1, 6, 3, padding=1), nn.ReLU())
    add_motion(model, '0', temporal='valid', fusion='none', **FLOW)
    calls = []
    model.flow.register_forward_hook(lambda *args: calls.append(1))
    assert copy.deepcopy(model)(torch.rand(2, 1, 4, 8, 8)).shape == (2, 6, 3, 8, 8)
    model(torch.rand(2, 1, 4, 8, 8))
    assert len(calls) == 2  # behind '0' alone; the copy's hook counts here too


def test_norms_over_channels_in_a_cnn():
    model = ChannelsLast().eval()
    expected = model(FRAMES)
    add_motion(model, 'stage', frames=8, **FLOW)
    torch.testing.assert_close(model(FRAMES), expected)
    with pytest.raises(InputError, match=r"'norm' .* returns \(8, 16, 24, 6\)"):
        add_motion(ChannelsLast(), 'norm', **FLOW)


def test_two_layers_are_two_children():
    model = Cnn()
    for after, kind in (('layer1', 'RepFlow'), ('layer2', 'FcF')):
        add_motion(model, after, frames=4, type=kind, **FLOW)
    assert {name.split('.')[0] for name in slow_parameters(model)} == {'flow', 'flow2'}
    model(FRAMES).square().sum().backward()
    model.eval()
    nn.init.normal_(model.flow.bn.weight)
    nn.init.normal_(model.flow2.flows[1].bn.weight)
    expected = model(FRAMES)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    fresh = Cnn()
    for after, kind in (('layer1', 'RepFlow'), ('layer2', 'FcF')):
        add_motion(fresh, after, frames=4, type=kind, **FLOW)
    fresh.load_state_dict(torch.load(file))
    torch.testing.assert_close(fresh.eval()(FRAMES), expected, rtol=0, atol=0)
    other = copy.deepcopy(model)
    for layer in (other.flow, other.flow2.flows[1]):
        before = other(FRAMES)
        nn.init.normal_(layer.bn.weight)
        assert not torch.allclose(other(FRAMES), before)  # the copy runs its own
    torch.testing.assert_close(model(FRAMES), expected, rtol=0, atol=0)


def test_conversion_to_sync_bn_keeps_the_layer():
    model = add_motion(Cnn(), 'layer1.1', frames=4, **FLOW).eval()
    scramble(model)
    expected = model(FRAMES)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    assert isinstance(converted.layer1[1], nn.SyncBatchNorm)
    torch.testing.assert_close(converted(FRAMES), expected)
    scramble(converted)
    assert not torch.allclose(converted(FRAMES), expected)


class FreezesNorms(Cnn):
    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval().requires_grad_(False)
        return self


def test_the_user_freezes_the_layer_and_the_network_does_not():
    model = add_motion(FreezesNorms(), 'layer1', frames=4, **FLOW).train()
    assert not model.layer1[1].weight.requires_grad
    assert all(p.requires_grad for p in model.flow.parameters())
    assert model.flow.bn.training
    model.flow.solver.requires_grad_(False)
    model.eval().train()
    assert model.flow.bn.weight.requires_grad and model.flow.bn.training
    assert not model.flow.solver.tau.requires_grad
    model.flow.requires_grad_(False)
    for _ in range(2):
        model.train()
        assert not any(p.requires_grad for p in model.flow.parameters())
        assert not model.flow.bn.training  # its statistics are frozen too
        model.eval()
    copied = copy.deepcopy(model).requires_grad_(False).train()
    assert not any(p.requires_grad for p in copied.flow.parameters())


def test_the_layer_has_the_networks_dtype_and_mode():
    model = add_motion(Cnn().double().eval(), 'layer1', **FLOW)
    assert model.flow.reduce.weight.dtype == torch.float64 and not model.flow.training
    assert model(FRAMES.double()).dtype == torch.float64


def test_probing_leaves_modes_statistics_and_hooks_alone():
    model = Cnn()
    model.layer2.eval()
    add_motion(model, 'layer1', **FLOW)
    assert model.training and model.layer1.training and not model.layer2.training
    assert not model.layer1[1].running_mean.any()
    assert len(model.layer1._forward_hooks) == 1 and not model.layer2._forward_hooks


def test_a_layer_that_is_replaced_or_removed_is_not_computed():
    model = add_motion(Cnn().eval(), 'layer1', **FLOW, zero_init_residual=False)
    plain = Cnn().eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    layer, with_flow = model.flow, model(FRAMES)
    assert (with_flow - plain(FRAMES)).abs().max() > 1e-4
    model.flow = nn.Identity()
    torch.testing.assert_close(model(FRAMES), plain(FRAMES))
    model.flow = layer
    torch.testing.assert_close(model(FRAMES), with_flow)
    del model.flow
    torch.testing.assert_close(model.train().eval()(FRAMES), plain(FRAMES))
    add_motion(model, 'layer2', **FLOW)
    assert hasattr(model, 'flow2') and not hasattr(model, 'flow')


class Flattened(Cnn):
    """As networks of timm with gradient checkpointing: stages are not called."""

    flat = False

    def forward(self, x):
        if not self.flat:
            return super().forward(x)
        for block in (*self.layer1, *self.layer2):
            x = block(x)
        return self.fc(self.pool(x).flatten(1))


def test_a_layer_that_a_network_goes_past():
    model = add_motion(Flattened(), 'layer1', **FLOW)
    model(FRAMES)
    model.flat = True
    with pytest.raises(InputError, match="not call 'layer1', as with set_grad_check"):
        model(FRAMES)
    model = add_motion(Flattened(), 'layer1.2', **FLOW)
    model.flat = True
    model(FRAMES)


@pytest.mark.parametrize(
    ('match', 'after', 'options'),
    [
        ("no sub-module 'layer3'; did you mean 'layer[12]'", 'layer3', {}),
        ('no sub-module 3', 3, {}),
        (r"'fc' of Cnn returns \(8, 5\)", 'fc', {}),
        (r"'pool' of Cnn returns \(8, 8, 1, 1\)", 'pool', {}),
        ('must keep its frames', 'layer1', dict(temporal='valid')),
        (r'^frames .* must be an int', 'layer1', dict(frames='8')),
        (r'set frames \(num_segments in a config\)', 'layer1', dict(frames=None)),
        ("no option 'iters', did you mean 'n_iters'", 'layer1', dict(iters=3)),
        ("no option 'in_channels'", 'layer1', dict(in_channels=8)),
    ],
)
def test_wrong_input(match, after, options):
    with pytest.raises(InputError, match=match):
        add_motion(Cnn(), after, **options)


@pytest.mark.parametrize(
    ('library', 'name', 'after'),
    [
        ('torchvision', 'resnet18', 'layer2'),
        ('torchvision', 'mobilenet_v2', 'features.6'),
        ('torchvision', 'mobilenet_v3_small', 'features.6'),
        ('torchvision', 'convnext_tiny', 'features.3'),
        ('timm', 'resnet18', 'layer2'),
        ('timm', 'regnetx_002', 's2'),
        ('timm', 'efficientnet_b0', 'blocks.2'),
        ('timm', 'mobilenetv4_conv_small', 'blocks.1'),
        ('timm', 'convnext_atto', 'stages.1'),
    ],
)
def test_networks_of_other_libraries(library, name, after):
    make = network_of(library)
    model = make(name).eval()
    frames = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        expected = model(frames)
        add_motion(model, after, frames=4, **FLOW)
        torch.testing.assert_close(model(frames), expected)
        scramble(model)
        assert not torch.allclose(model(frames), expected, rtol=1e-6, atol=0)


def test_attention_over_tokens_is_refused():
    make = network_of('timm')
    with pytest.raises(InputError, match=r"'blocks.1' .* returns \(8, 197, 192\)"):
        add_motion(make('vit_tiny_patch16_224'), 'blocks.1', **FLOW)


class Wrapper(nn.Module):
    """As activation checkpointing and torch.compile wrap a stage."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)


def test_a_stage_that_is_wrapped_later_has_the_layer_once():
    model = add_motion(Cnn(), 'layer1', frames=4, **FLOW).eval()
    scramble(model)
    expected = model(FRAMES)
    for _ in range(2):
        model.layer1 = Wrapper(model.layer1)
        torch.testing.assert_close(model(FRAMES), expected)
    model.layer1 = model.layer1.module.module  # and unwrapped again
    torch.testing.assert_close(model(FRAMES), expected)
    model = copy.deepcopy(model)
    model.layer1 = Wrapper(model.layer1)
    torch.testing.assert_close(model(FRAMES), expected)
    copied = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(copied(FRAMES), expected)
    del model.layer1
    with pytest.raises(InputError, match="after 'layer1', which Cnn has no more"):
        model.eval()


def test_threads_share_a_network():
    model = add_motion(Cnn(), 'layer1', frames=4, **FLOW).eval()
    scramble(model)
    expected = model(FRAMES)
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(model, [FRAMES] * 64):
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('change', ['replace', 'remove', 'norm'])
def test_a_change_before_the_first_compiled_pass(change):
    model = add_motion(Cnn(), 'layer1.1', frames=4, **FLOW).eval()
    scramble(model)
    if change == 'norm':
        expected = model(FRAMES)
        norm, model.layer1[1] = model.layer1[1], nn.SyncBatchNorm(6)
        model.layer1[1].load_state_dict(norm.state_dict())
        model.eval()
    else:
        expected = copy.deepcopy(model)
        del expected.flow
        expected = expected(FRAMES)
        if change == 'remove':
            del model.flow
        else:
            model.flow = nn.Identity()
    torch.compiler.reset()
    found = torch.compile(model, backend='eager', fullgraph=True)(FRAMES)
    torch.testing.assert_close(found, expected)
    torch.compiler.reset()


def test_a_stage_that_is_compiled_alone():
    model = add_motion(Cnn(), 'layer1', frames=4, **FLOW).eval()
    scramble(model)
    expected = model(FRAMES)
    model.layer1.compile(backend='eager')
    torch.testing.assert_close(model(FRAMES), expected)
    torch.compiler.reset()


def test_a_mode_that_changes_in_a_pass():
    model = add_motion(Cnn(), 'layer1', frames=4, **FLOW)
    model.layer2.register_forward_pre_hook(lambda *_: model.eval() and None)
    model.train()(FRAMES)


def test_a_place_that_goes_with_its_layer():
    model = add_motion(Cnn(), 'layer1', frames=4, **FLOW)
    del model.flow
    model.layer1 = nn.Sequential(*model.layer1)
    plain = model.eval()(FRAMES)
    model.layer2 = nn.Sequential(model.layer1, model.layer2)
    model.layer1 = nn.Identity()
    torch.testing.assert_close(model.eval()(FRAMES), plain)
