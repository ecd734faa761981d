"""Slim weights for publishing."""

import hashlib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import repflow_mm
from repflow_mm.checkpoint.load import load_checkpoint
from repflow_mm.checkpoint.save import to_bytes
from repflow_mm.errors import InputError
from repflow_mm.files import write_bytes

WEIGHTS = ('averaged', 'raw')
_EMA = 'ema_state_dict'


def slim(checkpoint: Any, weights: str | None = None) -> dict:
    """The weights of a checkpoint, without training state.

    Args:
        checkpoint (Any): From :func:`repflow_mm.checkpoint.load_checkpoint`.
        weights (str, optional): With `EMAHook` a checkpoint holds two sets of weights:
            `'averaged'`, which were validated, and `'raw'`, the optimizer's. Without it
            there are only raw ones. Defaults to averaged if available.

    Returns:
        dict: `state_dict`, each tensor in its dtype and in memory of its own, and
        `meta`: which weights these are, the training progress (`epoch`, `iter`), the
        classes if the dataset named them, and versions.

    Raises:
        InputError: If it holds no weights, or not the requested ones.
    """
    if not isinstance(checkpoint, dict):
        raise InputError(f'it holds a {type(checkpoint).__name__}, not weights')
    meta = _dict_in(checkpoint, 'meta')
    kinds = WEIGHTS if _EMA in checkpoint else (str(meta.get('weights', 'raw')),)
    weights = weights or kinds[0]
    if weights not in kinds:
        raise InputError(
            f'it holds only {kinds[0]} weights (training with EMAHook writes both '
            'kinds): omit --weights'
        )
    # EMAHook swaps the two on saving, so that the validated weights are loaded.
    key = _EMA if len(kinds) > 1 and weights == 'raw' else 'state_dict'
    found = checkpoint.get(key, checkpoint)
    if not isinstance(found, dict) or not found:
        raise InputError(f'it holds no {key}, a dict of weights by name')
    state = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f'its entry {str(name)[:40]!r} is a {type(value).__name__} where a '
                'weight should be'
            )
        if key != _EMA or name != 'steps':
            # A copy: torch.save writes the whole storage of a tensor, and safetensors
            # accepts no shared or strided tensors.
            state[name.removeprefix('module.')] = value.detach().clone(
                memory_format=torch.contiguous_format
            )
    kept = {
        name: meta[name]
        for name in ('epoch', 'iter', 'mmengine_version')
        if name in meta
    }
    classes = _dict_in(meta, 'dataset_meta').get('classes')
    if isinstance(classes, list | tuple | np.ndarray):
        kept['dataset_meta'] = dict(classes=list(map(str, classes)))
    with suppress(PackageNotFoundError):  # it may be a clone on the path
        kept['mmaction_version'] = version('mmaction2')
    kept['repflow_mm_version'] = repflow_mm.__version__
    kept['weights'] = weights
    return dict(state_dict=state, meta=kept)


def _dict_in(parent: dict, key: str) -> dict:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def publish(source: Path, target: Path, weights: str | None = None) -> Path:
    """Write slim weights atomically, named by their hash as in OpenMMLab.

    Args:
        source (Path): A training checkpoint.
        target (Path): The file to write, `x.pth` or `x.safetensors`; the first 8 digits
            of its SHA-256 are inserted: `x-1a2b3c4d.pth`. The same weights get the same
            name.
        weights (str, optional): As for :func:`slim`.

    Returns:
        Path: The file written.

    Raises:
        MissingFileError: If there is no such checkpoint.
        InputError: If it cannot be read or lacks the weights, or if the result would
            overwrite `source` itself.
        OutputError: If the file cannot be written.
    """
    if target.is_dir():
        raise InputError(f'{target} is a folder: name a file in it, such as model.pth')
    checkpoint = load_checkpoint(source, 'cpu')
    try:
        content = slim(checkpoint, weights)
    except InputError as error:
        raise InputError(f'checkpoint {source}: {error}') from None
    suffix = target.suffix or '.pth'
    data = to_bytes(content, suffix)
    digest = hashlib.sha256(data).hexdigest()[:8]
    path = target.with_name(f'{target.stem}-{digest}{suffix}')
    if path.exists() and path.samefile(source):
        raise InputError(f'{source} is already published under this name')
    write_bytes(path, data)
    return path
