"""What MMEngine and PyTorch would fail on later or less clearly, rejected first."""

import logging
import os
import tempfile
from collections.abc import Mapping

from mmaction.registry import OPTIMIZERS
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.config.building import unknown_type
from repflow_mm.engine.segments import check_segments
from repflow_mm.errors import InputError, OutputError

# The loaders that a run reads.
PARTS = dict(train=('train', 'val'), test=('test',))
_NEEDS = dict(
    train=('train_cfg', 'train_dataloader', 'optim_wrapper'),
    test=('test_cfg', 'test_dataloader', 'test_evaluator'),
)


def check_config(cfg: Config, what: str) -> None:
    """Check a config before a runner is built from it.

    Args:
        cfg (Config): A complete config. Settings of loaders that PyTorch rejects
            without workers are removed.
        what (str): `'train'` or `'test'`.

    Raises:
        InputError: If an entry is missing, of the wrong type or out of range.
    """
    missing = [name for name in _NEEDS[what] if cfg.get(name) is None]
    if missing:
        raise InputError(f'{cfg.filename} has no {" and no ".join(missing)}')
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if not isinstance(loader, Mapping):
            continue
        _check_integer(cfg, f'{name}.batch_size', loader.get('batch_size'), 1)
        _check_integer(cfg, f'{name}.num_workers', loader.get('num_workers'), 0)
        if not loader.get('num_workers'):
            # Without workers, PyTorch rejects these settings.
            loader.persistent_workers = False
            loader.pop('prefetch_factor', None)
    check_segments(cfg, PARTS[what])
    test_cfg = (cfg.get('model') or {}).get('test_cfg') or {}
    batch = (cfg.get('test_dataloader') or {}).get('batch_size') or 1
    if what == 'test' and test_cfg.get('max_testing_views') and batch > 1:
        raise InputError(
            f'{cfg.filename}: model.test_cfg.max_testing_views is for one video at a '
            f'time, but test_dataloader.batch_size is {batch}: set it to 1'
        )
    lowest = dict(max_epochs=1, max_iters=1, val_begin=0, val_interval=1)
    for name, least in lowest.items():
        value = (cfg.get('train_cfg') or {}).get(name)
        _check_integer(cfg, f'train_cfg.{name}', value, least)
    level = cfg.get('log_level', 'INFO')
    number = level if isinstance(level, int) else logging.getLevelName(level)
    if not isinstance(number, int):
        raise InputError(f'{cfg.filename}, log_level: there is no level {level!r}')
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer')
    rate = optimizer.get('lr', 0) if isinstance(optimizer, Mapping) else 0
    where = f'{cfg.filename}, optim_wrapper.optimizer'
    if not isinstance(rate, float | int):
        raise InputError(f'{where}.lr: must be a number, got {rate!r}')
    kind = optimizer.get('type') if isinstance(optimizer, Mapping) else None
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        raise InputError(f'{where}: {unknown_type(kind, OPTIMIZERS)}')
    seed = (cfg.get('randomness') or {}).get('seed')
    _check_integer(cfg, 'randomness.seed', seed, 0, 2**32 - 1)


def check_batches(runner: Runner) -> None:
    """Raise `InputError` if the training videos do not fill a batch."""
    loader = runner.train_loop.dataloader  # built, as `runner.train()` begins with it
    if len(loader) == 0:
        raise InputError(
            f'{runner.cfg.filename}, train_dataloader: {len(loader.dataset)} videos '
            f'give no batch of {loader.batch_size} per process: lower batch_size, or '
            'set drop_last=False'
        )


def _check_integer(
    cfg: Config, key: str, value: object, lowest: int, highest: int | None = None
) -> None:
    """Raise `InputError` unless a value is None or an integer in a range."""
    right = value is None or isinstance(value, int) and not isinstance(value, bool)
    if right and (value is None or lowest <= value <= (highest or value)):
        return
    bounds = (
        f'of at least {lowest}' if highest is None else f'from {lowest} to {highest}'
    )
    raise InputError(
        f'{cfg.filename}, {key}: must be an integer {bounds}, got {value!r}'
    )


def check_writable(work_dir: str) -> None:
    """Raise `OutputError` now rather than at the first checkpoint."""
    try:
        os.makedirs(work_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
    except OSError as error:
        raise OutputError(
            f'cannot write into work dir {work_dir} ({error.strerror}): choose '
            'another with --work-dir'
        ) from None
