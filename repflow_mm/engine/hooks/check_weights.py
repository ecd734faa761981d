"""Checkpoints that do not fit the model."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.engine.resumed_state import check_resumed_state
from repflow_mm.engine.unwrap import loaded_file, unwrapped_model
from repflow_mm.errors import InputError
from repflow_mm.layers import motion_prefixes


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Reject a checkpoint of another architecture, or without weights.

    MMEngine loads what fits and only warns about the rest, so results would be those of
    a partly initialized network. Testing and resuming need every weight; fine-tuning
    (`load_from`) needs every weight of the backbone except the flow layer's. Integers
    are not accepted as weights where the model has floats. Resuming also needs the
    counters and the log. `default_hooks=dict(check_weights=None)` restores MMEngine's
    behaviour.
    """

    priority = 'VERY_HIGH'  # before EMAHook loads its copy

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Raise `InputError` if the checkpoint does not fit."""
        model = unwrapped_model(runner)
        state = model.state_dict()
        file = loaded_file(runner)
        given = weights(file, checkpoint, state)
        if runner._resume:
            _check_resumable(file, checkpoint, state)
        training = isinstance(runner._train_loop, BaseLoop)
        fine_tuning = training and not runner._resume
        if given.keys() != checkpoint.get('state_dict', {}).keys():
            # A bare dict, or the names of DDP, which EMAHook does not know.
            checkpoint['state_dict'] = given
        check_fit(file, given, state, fine_tuning, new=motion_prefixes(model))
        if runner._resume:
            check_resumed_state(file, checkpoint, runner)


def _check_resumable(file: str, checkpoint: dict, state: dict) -> None:
    def inside(key: str) -> dict:
        value = checkpoint.get(key)
        return value if isinstance(value, dict) else {}

    meta, hub = inside('meta'), inside('message_hub')
    sound = {
        "meta with 'epoch' and 'iter'": all(
            type(meta.get(name)) is int and meta[name] >= 0
            for name in ('epoch', 'iter')
        ),
        'message_hub': all(
            isinstance(hub.get(name), dict)
            for name in ('log_scalars', 'runtime_info', 'resumed_keys')
        ),
        'optimizer': isinstance(checkpoint.get('optimizer', {}), dict),
        'param_schedulers': isinstance(
            checkpoint.get('param_schedulers', []), list | dict
        ),
    }
    for name, there in sound.items():
        if not there:
            raise InputError(
                f'{file} cannot be resumed, it has no {name}: load only its weights '
                'with load_from'
            )
    if 'ema_state_dict' in checkpoint:
        weights(file, checkpoint, state, 'ema_state_dict')
