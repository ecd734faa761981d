"""The solver's learning rate in each optimizer constructor, and its precedence."""

import pytest
import torch
from torch import nn

SGD = dict(type='SGD', lr=0.5, momentum=0.9, weight_decay=0.25)


class MViT(nn.Module):
    """Layer decay takes backbones of this name."""


class Model(nn.Module):
    def __init__(self, kind: str = 'RepFlow') -> None:
        from repflow_mm.layers import build_layer

        super().__init__()
        self.backbone = MViT()
        self.backbone.conv = nn.Conv3d(3, 6, 1)
        self.backbone.flow = build_layer(dict(type=kind, flow_channels=4), 6)
        self.fc = nn.Linear(6, 5)


def rates(model, constructor='DefaultOptimWrapperConstructor', **paramwise):
    """Learning rate and weight decay of each optimized parameter."""
    from mmengine.optim import build_optim_wrapper

    cfg = dict(type='OptimWrapper', optimizer=SGD, constructor=constructor)
    if paramwise:
        cfg['paramwise_cfg'] = paramwise
    optimizer = build_optim_wrapper(model, cfg).optimizer
    names = {id(p): name for name, p in model.named_parameters()}
    found = [
        (names[id(p)], (round(group['lr'], 9), group['weight_decay']))
        for group in optimizer.param_groups
        for p in group['params']
    ]
    assert len(found) == len(dict(found)) == len(names)  # each once
    assert all(group['momentum'] == 0.9 for group in optimizer.param_groups)
    # torch.compile cannot trace a step over MMEngine's ConfigDict.
    assert all(type(group) is dict for group in optimizer.param_groups)
    return dict(found)


def solver(found: dict) -> set:
    """The distinct learning rates of the solver."""
    return {rate for name, rate in found.items() if '.solver.' in name}


CONSTRUCTORS = {
    'default': {},
    'default, keys': dict(custom_keys={'fc': dict(lr_mult=10)}),
    'TSM': dict(constructor='TSMOptimWrapperConstructor', fc_lr5=True),
    'Swin': dict(constructor='SwinOptimWrapperConstructor', fc=dict(lr_mult=2.0)),
    'layer decay': dict(
        constructor='LearningRateDecayOptimizerConstructor',
        num_layers=2,
        decay_rate=0.5,
        decay_type='layer_wise',
    ),
}


@pytest.mark.parametrize('name', CONSTRUCTORS)
@pytest.mark.parametrize('kind', ['RepFlow', 'FcF'])
def test_the_solver_learns_slowly_by_itself(plugin, name, kind):
    found = rates(Model(kind), **CONSTRUCTORS[name])
    assert solver(found) == {(0.005, 0)}
    assert found['backbone.conv.weight'] == (0.5, 0.25)
    reduce = 'backbone.flow.flows.0.reduce' if kind == 'FcF' else 'backbone.flow.reduce'
    assert found[f'{reduce}.weight'] == (0.5, 0.25)
    if name == 'TSM':
        assert found['fc.weight'] == (2.5, 0.25) and found['fc.bias'] == (5, 0)


@pytest.mark.parametrize('name', CONSTRUCTORS)
def test_a_config_that_names_the_solver_wins(plugin, name):
    options = dict(CONSTRUCTORS[name])
    key = {'.solver.': dict(lr_mult=0.5, decay_mult=0.5)}
    if name == 'Swin':
        options |= key
    else:
        options['custom_keys'] = {**options.get('custom_keys', {}), **key}
    found = solver(rates(Model(), **options))
    if name == 'layer decay':  # no weight decay of vectors
        found.discard((0.25, 0))
    assert found == {(0.25, 0.125)}


@pytest.mark.parametrize('constructor', [None, 'TSMOptimWrapperConstructor'])
def test_the_optimizers_defaults_are_multiplied_too(plugin, constructor):
    from mmengine.optim import build_optim_wrapper

    cfg = dict(optimizer=dict(type='AdamW'))
    if constructor:
        cfg |= dict(constructor=constructor, paramwise_cfg=dict(fc_lr5=False))
        cfg['optimizer'].update(lr=1e-3)  # which TSM's constructor needs
    model = Model()
    groups = build_optim_wrapper(model, cfg).optimizer.param_groups
    rates = {id(p): (g['lr'], g['weight_decay']) for g in groups for p in g['params']}
    for name, parameter in model.named_parameters():
        slow = '.solver.' in name
        if slow or not constructor:
            expected = (1e-5, 0) if slow else (1e-3, 0.01)
            assert rates[id(parameter)] == pytest.approx(expected), name


def test_a_rate_for_the_backbone_reaches_the_solver_too(plugin):
    found = rates(Model(), custom_keys={'backbone': dict(lr_mult=0.1)})
    assert solver(found) == {(0.0005, 0)}


def test_a_config_that_names_the_solver_keeps_its_parameter_groups(plugin):
    # Optimizer states in checkpoints identify parameters by position.
    from mmengine.optim import build_optim_wrapper

    model = Model()
    keys = {'.solver.': dict(lr_mult=0.01, decay_mult=0)}
    cfg = dict(optimizer=SGD, paramwise_cfg=dict(custom_keys=keys))
    groups = build_optim_wrapper(model, cfg).optimizer.param_groups
    assert [len(g['params']) for g in groups] == [1] * len(list(model.parameters()))
    for group, (name, parameter) in zip(groups, model.named_parameters(), strict=True):
        assert group['params'][0] is parameter, name


def test_a_layer_of_ones_own_under_tsms_constructor(plugin):
    from repflow_mm.layers import BottleneckMotion, register_layer

    @register_layer('ScaledDifference')
    class ScaledDifference(BottleneckMotion):
        def make_motion(self, channels: int) -> int:
            self.scale = nn.Parameter(torch.ones(()))
            self.norm = nn.LayerNorm(channels)
            return channels

        def motion(self, g):
            g = self.norm(g.movedim(1, -1)).movedim(-1, 1)
            return self.scale * g.diff(dim=2)

    found = rates(Model('ScaledDifference'), **CONSTRUCTORS['TSM'])
    assert found['backbone.flow.scale'] == (0.5, 0.25)
    assert found['backbone.flow.norm.weight'] == (0.5, 0.25)


def test_without_motion_nothing_changes(plugin):
    model = Model()
    model.backbone.flow = nn.Identity()
    assert set(rates(model).values()) == {(0.5, 0.25)}
