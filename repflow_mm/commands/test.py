"""Test an action recognizer."""

import argparse
from collections.abc import Sequence

import repflow_mm.plugin  # noqa: F401  patches the stack before anything else
from repflow_mm.commands._launch import add_launch_arguments, check_exists, load_config
from repflow_mm.engine.launch import launch
from repflow_mm.errors import InputError, command


@command
def main(argv: Sequence[str] | None = None) -> None:
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
    add_launch_arguments(parser)
    args = parser.parse_args(argv)
    if args.show:
        _check_display()
    cfg = load_config(args)

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
            raise InputError(f'--dump writes a pickle: end {args.dump!r} in .pkl')
        evaluators = cfg.test_evaluator
        if not isinstance(evaluators, (list, tuple)):
            evaluators = [evaluators]
        dump = dict(type='DumpResults', out_file_path=args.dump)
        cfg.test_evaluator = [*evaluators, dump]
    check_exists(args.checkpoint)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    launch(cfg, 'test', args.launcher, args.local_rank)


def _check_display() -> None:
    import matplotlib  # slow, and nobody else needs it

    if matplotlib.get_backend().lower() == 'agg':
        raise InputError(
            '--show opens windows, and there is no display (or no GUI toolkit for '
            'matplotlib): write the pictures with --show-dir FOLDER'
        )
