"""What a resumed run takes from its checkpoint, whatever its config says.

MMEngine restores the state of the optimizer and of the schedules, and with it their
settings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from repflow_mm.errors import InputError

_KINDS = 'betas', 'momentum'  # tell optimizers apart
_SETTINGS = 'weight_decay', 'decoupled_weight_decay'
_SCHEDULE = (
    *('begin', 'end', 'T_max', 'total_iters', 'milestones', 'step_size', 'gamma'),
    *('eta_min', 'eta_min_ratio', 'power', 'factor', 'start_factor', 'end_factor'),
)
_ANEW = 'keep the settings, or start a new run from its weights (load_from)'


def check_resumed_state(file: str, checkpoint: Mapping, runner: Runner) -> None:
    """Reject a checkpoint that a run cannot continue; say what it overrides.

    Args:
        file (str): Name of the checkpoint in messages.
        checkpoint (Mapping): The checkpoint.
        runner (Runner): The run, with its optimizer and schedules.

    Raises:
        InputError: If the checkpoint has no optimizer or schedules, those of other
            parameters or another kind, or an average that the run does not continue.
    """
    wrapper = getattr(runner, 'optim_wrapper', None)
    if not isinstance(wrapper, OptimWrapper):
        return  # several optimizers
    schedulers = runner.param_schedulers or []
    theirs = (checkpoint.get('optimizer') or {}).get('param_groups')
    before = checkpoint.get('param_schedulers') or []
    for name, lacks in (
        ('optimizer', not theirs),
        ('param_schedulers', schedulers and not before),
    ):
        if lacks:
            raise InputError(
                f'{file} cannot be resumed, it has no {name}, as best_*.pth: resume '
                'from epoch_N.pth or latest.pth, or load only its weights (load_from)'
            )
    averages = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    if 'ema_state_dict' in checkpoint and not averages:
        raise InputError(
            f'{file} is from a run with averaged weights, but this one has no EMAHook '
            f'and would continue from the average: {_ANEW}'
        )
    ours = wrapper.optimizer.param_groups
    _check_groups(file, theirs, ours)
    changed = _changed_settings(theirs, ours)
    if isinstance(schedulers, list):
        changed += _changed_schedule(before, schedulers)
    if changed:
        runner.logger.warning(
            f'the resumed run keeps settings of {file}: {", ".join(changed)}. To '
            'change them, start a new run from its weights (load_from)'
        )


def _check_groups(file: str, theirs: Sequence, ours: Sequence) -> None:
    sizes = [[len(group['params']) for group in groups] for groups in (theirs, ours)]
    if sizes[0] != sizes[1]:
        counts = [f'{sum(size)} parameters in {len(size)} groups' for size in sizes]
        raise InputError(
            f'{file} cannot be resumed: its optimizer has {counts[0]}, that of this '
            f'run {counts[1]}, as if other parameters learn now: {_ANEW}'
        )
    for their, our in zip(theirs, ours, strict=True):
        for name in _KINDS:
            if (name in their) != (name in our):
                raise InputError(
                    f'{file} cannot be resumed: it is from another optimizer, '
                    f'{"with" if name in their else "without"} {name}: {_ANEW}'
                )


def _changed_settings(theirs: Sequence[Mapping], ours: Sequence[Mapping]) -> list[str]:
    changed = []
    for their, our in zip(theirs, ours, strict=True):
        pairs = [('lr', *(each.get('initial_lr', each['lr']) for each in (their, our)))]
        # PyTorch fills in what groups of an older version lack.
        both = [name for name in _SETTINGS if name in their and name in our]
        pairs += [(name, their[name], our[name]) for name in both]
        changed += [f'{name} {a}, not {b}' for name, a, b in pairs if a != b]
    return list(dict.fromkeys(changed))


def _changed_schedule(theirs: Sequence[Mapping], ours: Sequence[Any]) -> list[str]:
    if len(theirs) != len(ours):
        return [f'{len(theirs)} schedules, not {len(ours)}']
    changed = []
    for their, our in zip(theirs, ours, strict=True):
        state = our.state_dict()
        changed += [
            f'{name} {their.get(name)}, not {state[name]} of {type(our).__name__}'
            for name in _SCHEDULE
            if name in state and their.get(name) != state[name]
        ]
    return list(dict.fromkeys(changed))
