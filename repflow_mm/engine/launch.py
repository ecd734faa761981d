"""Launches MMEngine's Runner on a config, for `train` and `test`."""

import os
from datetime import timedelta

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config

from repflow_mm.config.building import building
from repflow_mm.config.read import remove_hooks
from repflow_mm.engine.check_config import (
    PARTS,
    check_batches,
    check_config,
    check_writable,
)
from repflow_mm.engine.console import Screen
from repflow_mm.engine.hooks.summary import SummaryHook
from repflow_mm.engine.preemption import where_stopped
from repflow_mm.engine.segments import check_views
from repflow_mm.engine.unwrap import unwrapped_model
from repflow_mm.errors import InputError, suggestion

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
    check_config(cfg, what)
    variable, starter = _STARTED_BY.get(cfg.launcher, ('', ''))
    if variable and variable not in os.environ:
        raise InputError(
            f'--launcher {cfg.launcher}: {starter} did not start this process '
            f'({variable} is not set)'
        )
    check_writable(cfg.work_dir)
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
    remove_hooks(cfg)
    runner = None
    try:
        with Screen() as screen, building(cfg):
            runner = screen.runner_class(kind).from_cfg(cfg)
            runner.register_hook(SummaryHook())
            check_views(unwrapped_model(runner), cfg, PARTS[what])
            if what == 'train':
                check_batches(runner)
            return getattr(runner, what)()
    except KeyboardInterrupt:
        if runner is None or what == 'test':
            raise KeyboardInterrupt from None
        raise KeyboardInterrupt(where_stopped(runner)) from None


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
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {})}
