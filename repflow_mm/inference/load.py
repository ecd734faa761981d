"""Load a recognizer for inference."""

import warnings
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

import repflow_mm.datasets.video_transforms
import repflow_mm.models  # noqa: F401  imported to register
from repflow_mm.checkpoint.fit import check_fit, weights
from repflow_mm.class_count import class_count
from repflow_mm.class_names import name_classes
from repflow_mm.config import read_config, shipped_weights
from repflow_mm.config.building import building
from repflow_mm.engine.segments import check_segments, check_views
from repflow_mm.errors import InputError
from repflow_mm.inference.recognizer import Recognizer
from repflow_mm.layers.memory_format import to_channels_last
from repflow_mm.models.late_fusion import set_checkpoints


def load(
    config: str | Path,
    checkpoint: str | Path | Sequence[str | Path] | None = None,
    device: str | torch.device | None = None,
    options: Mapping[str, Any] | None = None,
) -> Recognizer:
    """Build a recognizer and load all of its weights.

    MMAction2's `init_recognizer` silently skips weights that do not fit, and its
    inferencer executes the config stored in the checkpoint. Here the config is always
    a file you name, and a checkpoint is only data (`SECURITY.md`).

    Args:
        config (str | Path): The config it was trained with: a file, or the name of a
            config of this package.
        checkpoint (str | Path | Sequence, optional): A file or URL; or, for
            `LateFusion`, one per stream. Defaults to the weights that come with the
            config, as those of `repflow_tiny_motion` do; without any, weights are
            random and a warning says so.
        device (str | torch.device, optional): Defaults to the GPU if there is one,
            else the CPU.
        options (Mapping[str, Any], optional): Overrides of config entries, such as
            `{'class_names': 'names.txt'}`.

    Returns:
        Recognizer: The network in evaluation mode; its scores are probabilities
        averaged over views.

    Raises:
        MissingFileError: If a file does not exist.
        InputError: If the weights are rejected or belong to another architecture, or
            the device is not available.
    """
    device = choose_device(device)
    cfg = read_config(config, options)
    if checkpoint is None:
        checkpoint = shipped_weights(config)
    single = checkpoint is None or isinstance(checkpoint, str | Path)
    files = [checkpoint] if single else list(checkpoint)
    if not files:
        raise InputError('an empty list of checkpoints: give a file, or None')
    joined = ' and '.join(map(str, files))
    named = f'checkpoint {joined}'
    if len(files) > 1:
        set_checkpoints(cfg.model, [str(file) for file in files])
    check_segments(cfg, ['test'])
    try:
        with building(cfg):
            model = init_recognizer(cfg, device=device)
        check_views(model, cfg, ['test'], clips=False)  # windows are single clips
        loaded: Mapping = {}
        if files[0] is not None:
            loaded = CheckpointLoader.load_checkpoint(str(files[0]), 'cpu', 'silent')
    except (URLError, HTTPException) as error:
        raise InputError(f'{named} cannot be fetched: {error}') from None
    if files[0] is None:
        warnings.warn(
            f'no checkpoint given: the weights of {config} are random', stacklevel=2
        )
    elif len(files) == 1:
        state = model.state_dict()
        given = weights(named, loaded, state)
        check_fit(named, given, state)
        model.load_state_dict(given)
    if cfg.get('channels_last'):
        to_channels_last(model)
    for module in model.modules():
        if hasattr(module, 'average_clips'):
            module.average_clips = 'prob'
        # max_testing_views bounds memory for dozens of views. A window has a few, which
        # must form one batch so that the flow of the last view can be found.
        if getattr(module, 'test_cfg', None):
            module.test_cfg.pop('max_testing_views', None)
    meta = loaded.get('meta') or {}
    count = class_count(model)
    if count is None:
        raise InputError(f'{config}: the model has no cls_head with num_classes')
    classes = _class_names(cfg, meta, count)
    shown = None if files[0] is None else joined
    return Recognizer(model, classes, Path(config).stem, shown)


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
        raise InputError(f'device is cpu, cuda or cuda:1, got {device!r}') from None
    if device.type not in ('cpu', 'cuda'):  # such as mps, where there is one
        try:
            torch.zeros(1, device=device).item()
        except (RuntimeError, AssertionError, ImportError):
            raise InputError(
                f'device is cpu, cuda or cuda:1, got {str(device)!r}, which does not '
                'work here'
            ) from None
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
