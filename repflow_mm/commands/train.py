"""Train an action recognizer."""

from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from repflow_mm.allocator import keep_memory
from repflow_mm.commands._config import add_config
from repflow_mm.commands._launch import add_launch_arguments, check_exists, load_config
from repflow_mm.commands._parser import Parser, at_least
from repflow_mm.engine.cpu_amp import bf16_slowdown
from repflow_mm.engine.launch import is_first_process, launch
from repflow_mm.errors import InputError, command


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Train a recognizer.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(description='Train an action recognizer')
    add_config(parser)
    parser.add_argument(
        '--work-dir',
        metavar='FOLDER',
        help='folder for logs and checkpoints (default: work_dirs/CONFIG)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='resume from this checkpoint, or from the latest in the work dir',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='automatic mixed precision; on CPUs bf16, where it is faster',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not validate during training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the ratio of actual to intended batch size',
    )
    parser.add_argument('--seed', type=at_least(0), metavar='N', help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='use a different seed per rank'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='deterministic algorithms'
    )
    add_launch_arguments(parser)
    args = parser.parse_args(argv)
    keep_memory()
    cfg = load_config(args)

    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _enable_amp(cfg)
    if args.resume == 'auto':
        # With nothing to resume yet, load_from still applies.
        pointer = Path(cfg.work_dir, 'last_checkpoint')
        cfg.resume = pointer.is_file()
        if cfg.resume:
            cfg.load_from = _last_checkpoint(pointer)
    elif args.resume is not None:
        check_exists(args.resume)
        cfg.resume, cfg.load_from = True, args.resume
    if args.auto_scale_lr:
        if cfg.get('auto_scale_lr') is None:
            raise InputError(
                f'{args.config} has no auto_scale_lr: add auto_scale_lr=dict('
                'base_batch_size=...), the batch size its learning rate is meant for'
            )
        cfg.auto_scale_lr.enable = True
    # The command line takes precedence over the config.
    randomness = dict(cfg.get('randomness') or {})
    if args.seed is not None or 'seed' not in randomness:
        randomness['seed'] = args.seed
    for name in ('diff_rank_seed', 'deterministic'):
        randomness[name] = getattr(args, name) or randomness.get(name, False)
    cfg.randomness = randomness
    launch(cfg, 'train', args.local_rank)


def _last_checkpoint(pointer: Path) -> str:
    """The file that a work dir names, in that work dir if it was moved or copied."""
    named = pointer.read_text().strip()
    here = pointer.parent / Path(named).name
    if here.is_file():
        return str(here)
    if '://' not in named and not Path(named).is_file():
        what = f'names {named}, which no longer exists' if named else 'is empty'
        raise InputError(f'{pointer} {what}: name a checkpoint with --resume CKPT')
    return named


def _enable_amp(cfg: Config) -> None:
    if not cfg.get('optim_wrapper'):
        return  # launch says that it is missing
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        raise InputError(f'--amp cannot be combined with optim_wrapper.type={kind!r}')
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        return
    # One process decides for all: where it is close, they would measure differently.
    if is_first_process() and (slowdown := bf16_slowdown()) > 1:
        raise InputError(
            '--amp would be slower here: PyTorch finds no GPU, and on this processor '
            f'a convolution takes {slowdown:.1f} times as long in bf16 as in fp32'
        )
    cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
    for name in ('loss_scale', 'dtype', 'use_fsdp'):
        cfg.optim_wrapper.pop(name, None)
