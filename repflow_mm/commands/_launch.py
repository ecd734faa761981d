"""Arguments that `train` and `test` share, and the config they describe."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction

from repflow_mm.config import read_config
from repflow_mm.errors import MissingFileError


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config: a.b=1 c="[1,2]" d="[(1,2),(3,4)]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(args: argparse.Namespace) -> Config:
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('./work_dirs', Path(args.config).stem)
    return cfg


def check_exists(checkpoint: str) -> None:
    if '://' not in checkpoint and not Path(checkpoint).expanduser().is_file():
        raise MissingFileError(f'there is no checkpoint at {checkpoint}')
