"""Load a recognizer for inference."""

from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.config import read_config
from repflow_mm.config.mistakes import building
from repflow_mm.errors import InputError
from repflow_mm.preparation.class_names import name_classes


def load_recognizer(
    config: str | Path,
    checkpoint: str | Path,
    device: str | torch.device | None = None,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a recognizer and load all of its weights.

    MMAction2's `init_recognizer` silently skips weights that do not fit, and its
    inferencer executes the config stored in the checkpoint. Here the config is always
    a file you name, and a checkpoint is only data (`SECURITY.md`).

    Args:
        config (str | Path): The config it was trained with.
        checkpoint (str | Path): A file or URL.
        device (str | torch.device, optional): Defaults to the GPU if there is one,
            else the CPU.
        options (Mapping[str, Any], optional): Overrides of config entries.

    Returns:
        nn.Module: The model in evaluation mode, with its config `model.cfg` and its
        class names `model.class_names`; returns probabilities averaged over views.

    Raises:
        MissingFileError: If a file does not exist.
        InputError: If the weights are rejected or belong to another architecture, or
            the device is not available.
    """
    device = choose_device(device)
    cfg = read_config(config, options)
    with building(cfg):
        model = init_recognizer(cfg, device=device)
    file = f'checkpoint {checkpoint}'
    try:
        loaded = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu', 'silent')
    except (URLError, HTTPException) as error:
        raise InputError(f'{file} cannot be fetched: {error}') from None
    state = model.state_dict()
    given = weights(file, loaded, state)
    check_fit(file, given, state)
    model.load_state_dict(given)
    for module in model.modules():
        if hasattr(module, 'average_clips'):
            module.average_clips = 'prob'
        # max_testing_views bounds memory for dozens of views. A window has a few, which
        # must form one batch so that the flow of the last view can be found.
        if getattr(module, 'test_cfg', None):
            module.test_cfg.pop('max_testing_views', None)
    meta = loaded.get('meta') or {}
    model.class_names = _class_names(cfg, meta, model.cls_head.num_classes)
    return model


def choose_device(device: str | torch.device | None) -> torch.device:
    """Validate the requested device.

    Args:
        device (str | torch.device, optional): Defaults to the GPU if there is one,
            else the CPU.

    Returns:
        torch.device: An available device.

    Raises:
        InputError: If the device is not available.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        device = torch.device(device or ('cuda' if gpus else 'cpu'))
    except RuntimeError:
        raise InputError(f'--device is cpu, cuda or cuda:1, got {device!r}') from None
    if device.type == 'cuda' and not gpus:
        raise InputError(f'device {device} needs a GPU, and PyTorch finds none')
    if device.type == 'cuda' and (device.index or 0) >= gpus:
        raise InputError(f'there is no device {device}: PyTorch finds {gpus}, from 0')
    return device


def _class_names(cfg: Config, meta: Mapping, count: int) -> tuple[str, ...]:
    """Class names from the config or the checkpoint, else numbered ones."""
    names = cfg.get('class_names')
    if names is None:
        dataset = meta.get('dataset_meta')
        names = dataset.get('classes') if isinstance(dataset, Mapping) else None
        if not isinstance(names, list | tuple) or len(names) != count:
            names = None  # class names in a checkpoint are optional
    return name_classes(names, count)
