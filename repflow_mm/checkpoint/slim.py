"""Slim weights for publishing."""

import hashlib
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import repflow_mm
from repflow_mm.checkpoint.load import load_checkpoint
from repflow_mm.errors import InputError
from repflow_mm.files import write_bytes

WEIGHTS = ('averaged', 'raw')
_EMA = 'ema_state_dict'


def slim(checkpoint: Any, weights: str | None = None) -> dict:
    """The weights of a checkpoint, and nothing that only a training needs.

    Args:
        checkpoint (Any): What :func:`repflow_mm.engine.load_checkpoint` gave.
        weights (str, optional): With `EMAHook` a checkpoint holds two kinds:
            `'averaged'`, which was validated, and `'raw'`, as the optimiser left them.
            Without it there are raw ones alone. Defaults to averaged where there are.

    Returns:
        dict: `state_dict`, each tensor in its dtype, and `meta`: which weights these
        are, where the training was (`epoch`, `iter`), its classes where the dataset
        named them, and versions.

    Raises:
        ValueError: If it holds no weights, or not those that are asked for.
    """
    if not isinstance(checkpoint, dict):
        raise InputError(f'it holds a {type(checkpoint).__name__}, no weights')
    meta = _dict_in(checkpoint, 'meta')
    kinds = WEIGHTS if _EMA in checkpoint else (str(meta.get('weights', 'raw')),)
    weights = weights or kinds[0]
    if weights not in kinds:
        raise InputError(
            f'it holds {kinds[0]} weights alone (a training with EMAHook writes both '
            'kinds): leave --weights out'
        )
    # EMAHook swaps the two when it writes, so that what is tested is loaded.
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
            # A copy: torch.save writes all of the memory that a tensor is part of.
            state[name.removeprefix('module.')] = value.detach().clone()
    kept = {
        name: meta[name]
        for name in ('epoch', 'iter', 'mmengine_version')
        if name in meta
    }
    if classes := _dict_in(meta, 'dataset_meta').get('classes'):
        kept['dataset_meta'] = dict(classes=list(classes))
    kept['mmaction_version'] = version('mmaction2')
    kept['repflow_mm_version'] = repflow_mm.__version__
    kept['weights'] = weights
    return dict(state_dict=state, meta=kept)


def _dict_in(parent: dict, key: str) -> dict:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def publish(source: Path, target: Path, weights: str | None = None) -> Path:
    """Write slim weights, named after what they are, as OpenMMLab does.

    Args:
        source (Path): A checkpoint of a training.
        target (Path): The file to write, `x.pth`; the first 8 digits of its SHA-256
            are put in: `x-1a2b3c4d.pth`. The same weights get the same name.
        weights (str, optional): As for :func:`slim`.

    Returns:
        Path: What was written, whole or not at all.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it cannot be read or holds no such weights, or if what would be
            written is `source` itself.
        OSError: If the file cannot be written.
    """
    if target.is_dir():
        raise InputError(f'{target} is a folder: name a file in it, such as model.pth')
    checkpoint = load_checkpoint(source, 'cpu')
    try:
        content = slim(checkpoint, weights)
    except InputError as error:
        raise InputError(f'checkpoint {source}: {error}') from None
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()[:8]
    path = target.with_name(f'{target.stem}-{digest}{target.suffix or ".pth"}')
    if path.exists() and path.samefile(source):
        raise InputError(f'{source} is published already, under this very name')
    write_bytes(path, data)
    return path
