"""`tools/train.py` and `tools/test.py`: MMAction2's options, MMEngine's Runner."""

import argparse
import os
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from repflow_mm.engine.configs import read_config
from repflow_mm.errors import one_line_errors


@one_line_errors
def train(argv: Sequence[str] | None = None) -> None:
    """Train a recognizer.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(description='Train an action recognizer')
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='resume from this checkpoint, or from the latest in the work dir',
    )
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision (needs a GPU)'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual over the intended batch size',
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='another seed on every rank'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='deterministic algorithms'
    )
    _add_common_arguments(parser)
    args = parser.parse_args(argv)
    cfg = _load_config(args)

    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _enable_amp(cfg)
    if args.resume == 'auto':
        # With nothing to resume yet, weights to start from are still wanted.
        cfg.resume = Path(cfg.work_dir, 'last_checkpoint').is_file()
        cfg.load_from = None if cfg.resume else cfg.get('load_from')
    elif args.resume is not None:
        _check_exists(args.resume)
        cfg.resume, cfg.load_from = True, args.resume
    if args.auto_scale_lr:
        if cfg.get('auto_scale_lr') is None:
            raise ValueError(
                f'{args.config} has no auto_scale_lr: add auto_scale_lr=dict('
                'base_batch_size=...), the batch size its learning rate is meant for'
            )
        cfg.auto_scale_lr.enable = True
    # What is said on the command line goes before what the config says.
    randomness = dict(cfg.get('randomness') or {})
    if args.seed is not None or 'seed' not in randomness:
        randomness['seed'] = args.seed
    randomness['diff_rank_seed'] = args.diff_rank_seed or randomness.get(
        'diff_rank_seed', False
    )
    randomness['deterministic'] = args.deterministic or randomness.get(
        'deterministic', False
    )
    cfg.randomness = randomness
    _run(cfg, args, 'train')


@one_line_errors
def test(argv: Sequence[str] | None = None) -> None:
    """Evaluate a checkpoint; one written with EMA holds the averaged weights.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(description='Test an action recognizer')
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder for the metrics')
    parser.add_argument('--dump', help='write the predictions to this .pkl file')
    parser.add_argument('--show-dir', help='write pictures of predictions there')
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument(
        '--interval', type=int, default=1, help='show every so many samples'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds each window stays'
    )
    _add_common_arguments(parser)
    args = parser.parse_args(argv)
    if args.show:
        _check_display()
    cfg = _load_config(args)

    if args.show or args.show_dir is not None:
        cfg.default_hooks.visualization = dict(
            type='PredictionPicturesHook',
            show=args.show,
            wait_time=args.wait_time,
            out_dir=args.show_dir,
            interval=args.interval,
        )
    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f'--dump writes a pickle: end {args.dump!r} in .pkl')
        evaluators = cfg.test_evaluator
        if not isinstance(evaluators, (list, tuple)):
            evaluators = [evaluators]
        dump = dict(type='DumpResults', out_file_path=args.dump)
        cfg.test_evaluator = [*evaluators, dump]
    _check_exists(args.checkpoint)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    _run(cfg, args, 'test')


def _add_common_arguments(parser: argparse.ArgumentParser) -> None:
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


def _load_config(args: argparse.Namespace) -> Config:
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('./work_dirs', Path(args.config).stem)
    return cfg


def _check_exists(checkpoint: str) -> None:
    if '://' not in checkpoint and not Path(checkpoint).expanduser().is_file():
        raise FileNotFoundError(f'there is no checkpoint at {checkpoint}')


def _enable_amp(cfg: Config) -> None:
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp cannot be combined with optim_wrapper.type={kind!r}')
    if not torch.cuda.is_available():
        raise ValueError('--amp needs a GPU, and PyTorch finds none: leave it out')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _check_display() -> None:
    import matplotlib  # slow, and nobody else needs it

    if matplotlib.get_backend().lower() == 'agg':
        raise ValueError(
            '--show opens windows, and there is no display (or no GUI toolkit for '
            'matplotlib): write the pictures with --show-dir FOLDER'
        )


def _check_writable(work_dir: str) -> None:
    """Tell now, not when the first checkpoint is lost."""
    try:
        os.makedirs(work_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
    except OSError as error:
        raise OSError(
            f'cannot write into work dir {work_dir} ({error.strerror}): choose '
            'another with --work-dir'
        ) from None


def _distribute_over_cpus(cfg: Config) -> None:
    """Do what MMEngine does for GPUs alone: it sets CUDA devices unasked."""
    timeout = timedelta(seconds=cfg.env_cfg.dist_cfg.get('timeout', 1800))
    torch.distributed.init_process_group('gloo', timeout=timeout)
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
        device_ids=None,
    )


def _run(cfg: Config, args: argparse.Namespace, what: str) -> None:
    _check_writable(cfg.work_dir)
    if args.launcher == 'pytorch' and not torch.cuda.is_available():
        _distribute_over_cpus(cfg)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if 'runner_type' in cfg:
        from mmaction.registry import RUNNERS

        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    getattr(runner, what)()
