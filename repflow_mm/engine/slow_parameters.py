"""Every optimizer constructor gives motion layers' slow parameters their own rate.

MMEngine's constructor and MMAction2's (TSM, Swin, layer decay) share one `__call__`,
which this module wraps on import. A config does not have to mention the solver; one
that does, such as `paramwise_cfg=dict(custom_keys={'.solver.': dict(lr_mult=1)})`,
takes precedence.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from mmaction.engine.optimizers import (
    LearningRateDecayOptimizerConstructor,
    TSMOptimWrapperConstructor,
)
from mmaction.registry import OPTIMIZERS
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.utils.dl_utils.parrots_wrapper import (
    SyncBatchNorm_,
    _BatchNorm,
    _ConvNd,
)
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from repflow_mm.layers import MotionLayer, motion_prefixes, slow_parameters

LR_MULT, DECAY_MULT = 0.01, 0.0

# Modules that TSM's constructor handles; it rejects any other module with weights.
_TSM_MODULES = (_ConvNd, nn.Linear, _BatchNorm, SyncBatchNorm_, nn.GroupNorm)
# Constructors that apply no `custom_keys` and reject modules of a motion layer.
_REJECTED: dict[type, Callable[[nn.Module], bool]] = {
    TSMOptimWrapperConstructor: lambda part: (
        not part._modules and not isinstance(part, _TSM_MODULES)
    ),
    LearningRateDecayOptimizerConstructor: lambda part: isinstance(part, _NormBase),
}


def _install() -> None:
    build = DefaultOptimWrapperConstructor.__call__
    if build.__module__ == __name__:
        return

    @functools.wraps(build)
    def call(self: DefaultOptimWrapperConstructor, model: nn.Module) -> OptimWrapper:
        inner = getattr(model, 'module', model)
        slow = slow_parameters(inner)
        given = self.paramwise_cfg
        rejected = next((r for k, r in _REJECTED.items() if isinstance(self, k)), None)
        if not slow and not rejected:
            return _with_plain_groups(build(self, model))

        def add_params(params: list[dict], module: nn.Module, **kwargs) -> None:
            del self.add_params  # constructors call themselves for child modules
            if not given:
                params.append(dict(params=list(module.parameters())))
            else:
                with _hidden(module, rejected):
                    self.add_params(params, module, **kwargs)
                if rejected:
                    _add_left_out(params, module)
            rules = _rules(given, slow, module)
            if not rejected:  # the constructor has already applied the config's rules
                rules = {p: rule for p, rule in rules.items() if rule is _OURS}
            base = {
                'lr': _base(self.base_lr, self.optimizer_cfg, 'lr'),
                'weight_decay': _base(self.base_wd, self.optimizer_cfg, 'weight_decay'),
            }
            params[:] = _split(params, rules, base)

        self.add_params = add_params
        # If it is empty, add_params is not called.
        self.paramwise_cfg = given or dict(custom_keys={})
        try:
            return _with_plain_groups(build(self, model))
        finally:
            self.paramwise_cfg = given
            vars(self).pop('add_params', None)

    call.__module__ = __name__
    DefaultOptimWrapperConstructor.__call__ = call


def _with_plain_groups(wrapper: OptimWrapper) -> OptimWrapper:
    """Turn `ConfigDict`s into dicts: `torch.compile` cannot trace a step over them."""
    groups = wrapper.optimizer.param_groups
    groups[:] = [{**group} for group in groups]
    return wrapper


_OURS = dict(lr_mult=LR_MULT, decay_mult=DECAY_MULT)


def _rules(
    paramwise: Mapping, slow: Mapping[str, nn.Parameter], model: nn.Module
) -> dict[nn.Parameter, Mapping]:
    """The multipliers of each slow parameter, the config's if it names it, else ours.

    A key of `paramwise_cfg` names slow parameters if no other parameter's name
    contains it.
    """
    others = [name for name, _ in model.named_parameters() if name not in slow]
    keys = {**paramwise, **paramwise.get('custom_keys', {})}
    naming = [
        key
        for key, options in keys.items()
        if isinstance(options, Mapping) and not any(key in name for name in others)
    ]
    naming.sort(key=len)
    rules = {}
    for name, parameter in slow.items():
        matching = [keys[key] for key in naming if key in name]
        rules[parameter] = matching[-1] if matching else _OURS
    if ours := sum(rule is _OURS for rule in rules.values()):
        print_log(
            f'{ours} parameters of motion layers learn at {LR_MULT}x the rate, '
            "without weight decay (paramwise_cfg.custom_keys['.solver.'] overrides it)",
            logger='current',
        )
    return rules


def _base(given: float | None, optimizer: Mapping, name: str) -> float | None:
    """An option of the optimizer, its default where the config does not give it."""
    kind = optimizer.get('type')
    kind = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    if given is not None or kind is None:
        return given
    parameter = inspect.signature(kind).parameters.get(name)
    known = parameter is not None and isinstance(parameter.default, float | int)
    return parameter.default if known else None


def _split(
    groups: Collection[dict],
    rules: Mapping[nn.Parameter, Mapping],
    base: Mapping[str, float | None],
) -> list[dict]:
    """Split slow parameters into groups of their own, after the original group."""
    found = []
    for group in groups:
        parts: dict[tuple, list] = {}  # by multipliers
        named = zip(group.get('param_names', ()), group['params'], strict=False)
        names = {id(p): name for name, p in named}
        for parameter in group['params']:
            rule = rules.get(parameter, {})
            mults = rule.get('lr_mult', 1.0), rule.get('decay_mult', 1.0)
            parts.setdefault(mults, []).append(parameter)
        for (lr_mult, decay_mult), members in sorted(parts.items(), reverse=True):
            part = {**group, 'params': members}
            if 'param_names' in group:
                part['param_names'] = [names[id(p)] for p in members]
            for name, mult in (('lr', lr_mult), ('weight_decay', decay_mult)):
                value = group.get(name, base[name])
                if value is not None and mult != 1:
                    part[name] = value * mult
            found.append(part)
    return found


@contextmanager
def _hidden(
    model: nn.Module, rejected: Callable[[nn.Module], bool] | None
) -> Iterator[None]:
    """Take the modules that a constructor rejects out of the motion layers."""
    layers = [part for part in model.modules() if isinstance(part, MotionLayer)]
    found = [
        (parent, name, part)
        for layer in layers
        for parent in layer.modules()
        for name, part in parent._modules.items()
        if part is not None and rejected is not None and rejected(part)
    ]
    for parent, name, _ in found:
        parent._modules[name] = None
    try:
        yield
    finally:
        for parent, name, part in found:
            parent._modules[name] = part


def _add_left_out(params: list[dict], model: nn.Module) -> None:
    """Add groups of the motion layers' parameters that a constructor left out."""
    there = {id(p) for group in params for p in group['params']}
    prefixes = motion_prefixes(model)
    left = {
        name: p
        for name, p in model.named_parameters()
        if p.requires_grad and name.startswith(prefixes) and id(p) not in there
    }
    if left:
        group = dict(params=list(left.values()))  # the optimizer's own rate and decay
        if any('param_names' in other for other in params):  # then all must have them
            group['param_names'] = list(left)
        params.append(group)


_install()
