"""Checks that weights fit a model; MMEngine loads what fits and warns of the rest."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from repflow_mm.errors import InputError

_COPY = 'cls_head.new_cls.'  # TPN's classifier once more, after MMAction2's validation


def weights(
    file: str, checkpoint: Any, state: Mapping[str, Tensor], key: str = 'state_dict'
) -> dict[str, Tensor]:
    """The weights in a checkpoint, by name.

    Args:
        file (str): Name of the checkpoint in messages.
        checkpoint (Any): The loaded checkpoint.
        state (Mapping[str, Tensor]): The model's state dict.
        key (str): The entry that holds them. Defaults to `'state_dict'`; a bare dict
            of weights is accepted too.

    Returns:
        dict[str, Tensor]: By name, without the prefix `module.`.

    Raises:
        InputError: If there are none, or they are integers where the model has floats.
    """
    given = checkpoint.get(key, checkpoint) if isinstance(checkpoint, dict) else None
    if not isinstance(given, dict):
        raise InputError(f'{file} holds no {key}, a dict of weights by name')
    found = {}
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f'{file} is not a {key}: weights are tensors by name, but entry '
                f'{str(name)[:40]!r} is a {type(value).__name__}'
            )
        name = name.removeprefix('module.')
        if name.startswith(_COPY) and name not in state:
            continue
        found[name] = value
    for name in found.keys() & state.keys():
        if _kind(found[name]) != _kind(state[name]):
            raise InputError(
                f'{file} has {name} as {found[name].dtype}, the model as '
                f'{state[name].dtype}: MMEngine would convert it silently'
            )
    return found


def check_fit(
    file: str,
    given: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    backbone_only: bool = False,
    new: tuple[str, ...] = (),
) -> None:
    """Reject weights of another architecture.

    Args:
        file (str): Name of the checkpoint in messages.
        given (Mapping[str, Tensor]): The weights.
        state (Mapping[str, Tensor]): The model's state dict.
        backbone_only (bool): For fine-tuning: require only the backbone's weights.
            Defaults to False.
        new (tuple[str, ...]): Prefixes of weights that fine-tuning does not require,
            such as those of motion layers. Defaults to none.

    Raises:
        InputError: If they do not fit.
    """
    wanted = [k for k in state if not _is_count(k)]
    missing = [k for k in wanted if k not in given]
    reshaped = [k for k in wanted if k in given and given[k].shape != state[k].shape]
    unknown = [k for k in given if k not in state and not _is_count(k)]
    if backbone_only:
        missing, reshaped = (
            [k for k in keys if 'backbone' in k.split('.') and not k.startswith(new)]
            for keys in (missing, reshaped)
        )
        unknown = []
    if not missing and not reshaped and not unknown:
        return
    counts = [
        f'{len(keys)} {what} (first: {keys[0][:100]!r})'
        for keys, what in (
            (missing, 'weights of the model are missing'),
            (reshaped, 'have another shape'),
            (unknown, 'of its weights are not in the model'),
        )
        if keys
    ]
    raise InputError(
        f'{file} is of another architecture: '
        f'{"; ".join(counts)}. Use the config it was trained with'
    )


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex() or tensor.is_floating_point():
        return 'complex' if tensor.is_complex() else 'float'
    return 'bool' if tensor.dtype == torch.bool else 'integer'


def _is_count(key: str) -> bool:
    return key.endswith('num_batches_tracked')
