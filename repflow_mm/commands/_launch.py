"""Arguments shared by `train` and `test`, and the config they produce."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config

import repflow_mm.plugin  # noqa: F401  registers what configs name
from repflow_mm.commands._config import add_cfg_options
from repflow_mm.commands._parser import at_least
from repflow_mm.config import read_config
from repflow_mm.errors import MissingFileError


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--cfg-options`, `--launcher` and `--local-rank`."""
    add_cfg_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='launcher of a distributed run',
    )
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=at_least(0),
        default=0,
        help=argparse.SUPPRESS,  # set by old launchers, not by users
    )


def load_config(args: argparse.Namespace) -> Config:
    """The config of a run, with its work dir and launcher."""
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    return cfg


def check_exists(checkpoint: str) -> None:
    """Raise `MissingFileError` unless the checkpoint is a file or a URL."""
    if '://' not in checkpoint and not Path(checkpoint).expanduser().is_file():
        raise MissingFileError(f'there is no checkpoint at {checkpoint}')
