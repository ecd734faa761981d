"""Launches MMEngine's Runner on a config, for `train` and `test`."""

import logging
import os
import tempfile
from collections.abc import Mapping
from datetime import timedelta

import torch
from mmaction.registry import OPTIMIZERS, RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.config.mistakes import building, suggestion, unknown_type
from repflow_mm.engine.preemption import where_stopped
from repflow_mm.engine.screen import Screen, SummaryHook
from repflow_mm.errors import InputError, OutputError

_NEEDS = dict(
    train=('train_cfg', 'train_dataloader', 'optim_wrapper'),
    test=('test_cfg', 'test_dataloader', 'test_evaluator'),
)
_STARTED_BY = dict(
    pytorch=('RANK', 'torchrun'),
    slurm=('SLURM_PROCID', 'srun'),
    mpi=('OMPI_COMM_WORLD_RANK', 'mpirun'),
)


def is_first_process() -> bool:
    """Whether this is the first process of a job, before it is initialized."""
    ranks = (os.environ.get(variable, '0') for variable, _ in _STARTED_BY.values())
    return all(rank == '0' for rank in ranks)


def launch(cfg: Config, what: str, local_rank: int) -> object:
    """Train or test.

    Args:
        cfg (Config): A complete config, with `work_dir` set, and with `launcher`,
            MMEngine's name of the job launcher or `'none'`.
        what (str): `'train'` or `'test'`.
        local_rank (int): Of this process, if the launcher does not set it.

    Returns:
        object: What the Runner returns: the trained model, or the metrics of the test.

    Raises:
        InputError: If the config is incomplete, or part of it cannot be built.
        OutputError: If the work dir cannot be written to.
        KeyboardInterrupt: On Ctrl-C; says where training was stopped.
        Preempted: After SIGTERM or SIGUSR1 in training.
    """
    _check(cfg, what)
    variable, starter = _STARTED_BY.get(cfg.launcher, ('', ''))
    if variable and variable not in os.environ:
        raise InputError(
            f'--launcher {cfg.launcher}: {starter} did not start this process '
            f'({variable} is not set)'
        )
    _check_writable(cfg.work_dir)
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        _distribute_over_cpus(cfg)
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    kind = RUNNERS.get(cfg.get('runner_type', 'Runner'))
    if kind is None:
        known = RUNNERS.module_dict.keys() | {'Runner'}
        raise InputError(
            f'{cfg.filename}: there is no runner_type {cfg.runner_type!r}'
            f'{suggestion(cfg.runner_type, known)}'
        )
    runner = None
    try:
        with Screen() as screen, building(cfg):
            runner = screen.runner_class(kind).from_cfg(cfg)
            runner.register_hook(SummaryHook())
            if what == 'train':
                _check_batches(runner)
            return getattr(runner, what)()
    except KeyboardInterrupt:
        if runner is None or what == 'test':
            raise KeyboardInterrupt from None
        raise KeyboardInterrupt(where_stopped(runner)) from None


def _check(cfg: Config, what: str) -> None:
    """Reject early what MMEngine and PyTorch would fail on later or less clearly."""
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


def _check_batches(runner: Runner) -> None:
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


def _check_writable(work_dir: str) -> None:
    """Fail now rather than at the first checkpoint."""
    try:
        os.makedirs(work_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
    except OSError as error:
        raise OutputError(
            f'cannot write into work dir {work_dir} ({error.strerror}): choose '
            'another with --work-dir'
        ) from None


def _distribute_over_cpus(cfg: Config) -> None:
    """Set up gloo: MMEngine's launchers select CUDA devices even without a GPU."""
    options = (cfg.get('env_cfg') or {}).get('dist_cfg') or {}
    timeout = timedelta(seconds=options.get('timeout', 1800))
    torch.distributed.init_process_group('gloo', timeout=timeout)
    wrapper = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
        device_ids=None,
    )
    cfg.setdefault('model_wrapper_cfg', wrapper)
