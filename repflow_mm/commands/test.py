"""Test an action recognizer."""

from collections.abc import Sequence

from repflow_mm.allocator import keep_memory
from repflow_mm.commands._config import add_config
from repflow_mm.commands._launch import add_launch_arguments, check_exists, load_config
from repflow_mm.commands._parser import Parser, at_least, number
from repflow_mm.engine.launch import launch
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_file
from repflow_mm.models.late_fusion import set_checkpoints


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Test a checkpoint; with EMA, both its averaged and its raw weights.

    Prints the accuracy per class, and writes a confusion matrix.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(description='Test an action recognizer')
    add_config(parser)
    parser.add_argument(
        'checkpoints',
        nargs='+',
        metavar='CKPT',
        help='its weights: a file or URL; or, for LateFusion, one per stream',
    )
    parser.add_argument(
        '--work-dir',
        metavar='FOLDER',
        help='folder for logs and metrics (default: work_dirs/CONFIG)',
    )
    parser.add_argument(
        '--dump', metavar='FILE', help='write the predictions to this .pkl file'
    )
    parser.add_argument(
        '--show-dir', metavar='FOLDER', help='write pictures of predictions'
    )
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument(
        '--interval',
        type=at_least(1),
        metavar='N',
        help='show every N samples (default: 1)',
    )
    parser.add_argument(
        '--wait-time',
        type=number,
        metavar='SECONDS',
        help='display time of each window (default: 2)',
    )
    add_launch_arguments(parser)
    args = parser.parse_args(argv)
    keep_memory()
    pictures = args.show or args.show_dir is not None
    if args.interval is not None and not pictures:
        raise InputError('--interval is for pictures: give --show or --show-dir too')
    if args.wait_time is not None and not args.show:
        raise InputError('--wait-time is for windows: give --show too')
    if args.show:
        _check_display()
    cfg = load_config(args)

    matrix = dict(confusion_matrix=dict(type='ConfusionMatrixHook'))
    cfg.default_hooks = {**matrix, **(cfg.get('default_hooks') or {})}
    if pictures:
        hook = dict(
            type='PredictionPicturesHook',
            show=args.show,
            wait_time=2 if args.wait_time is None else args.wait_time,
            out_dir=args.show_dir,
            interval=args.interval or 1,
        )
        cfg.default_hooks.visualization = hook
    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise InputError(f'--dump writes a pickle: end {args.dump!r} in .pkl')
        check_file(args.dump)
        evaluators = cfg.get('test_evaluator') or []
        if not isinstance(evaluators, (list, tuple)):
            evaluators = [evaluators]
        dump = dict(type='DumpResults', out_file_path=args.dump)
        cfg.test_evaluator = [*evaluators, dump]
    for checkpoint in args.checkpoints:
        check_exists(checkpoint)
    cfg.resume, cfg.load_from = False, None
    if len(args.checkpoints) == 1:
        (cfg.load_from,) = args.checkpoints
    else:
        set_checkpoints(cfg.model, args.checkpoints)
    launch(cfg, 'test', args.local_rank)


def _check_display() -> None:
    import matplotlib  # slow to import, and needed only here

    if matplotlib.get_backend().lower() == 'agg':
        raise InputError(
            '--show opens windows, but there is no display (or no GUI toolkit for '
            'matplotlib): write the pictures with --show-dir FOLDER'
        )
