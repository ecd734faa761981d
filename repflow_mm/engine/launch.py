"""Starts MMEngine's Runner on a config: what `train` and `test` have in common."""

import os
import tempfile
from datetime import timedelta

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.errors import OutputError


def launch(cfg: Config, what: str, launcher: str, local_rank: int) -> None:
    """Train or test.

    Args:
        cfg (Config): A whole config, `work_dir` and `launcher` set.
        what (str): `'train'` or `'test'`.
        launcher (str): MMEngine's name of the job launcher, or `'none'`.
        local_rank (int): Of this process, where the launcher does not say.

    Raises:
        OutputError: If the work dir cannot be written to.
    """
    _check_writable(cfg.work_dir)
    if launcher == 'pytorch' and not torch.cuda.is_available():
        _distribute_over_cpus(cfg)
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
    getattr(build(cfg), what)()


def _check_writable(work_dir: str) -> None:
    """Fail now, not when the first checkpoint is lost."""
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
    timeout = timedelta(seconds=cfg.env_cfg.dist_cfg.get('timeout', 1800))
    torch.distributed.init_process_group('gloo', timeout=timeout)
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
        device_ids=None,
    )
