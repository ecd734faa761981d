"""Write slim weights for publishing."""

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.checkpoint.slim import WEIGHTS, publish
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write slim weights for publishing.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Write the weights of a checkpoint without its training state '
        '(optimizer, logs, config)'
    )
    parser.add_argument(
        'checkpoint', type=Path, metavar='CKPT', help='checkpoint of a training run'
    )
    parser.add_argument(
        'out',
        type=Path,
        metavar='OUT',
        help='file to write, x.pth or x.safetensors; part of its SHA-256 is added to '
        'the name: x-1a2b3c4d.pth',
    )
    parser.add_argument(
        '--weights',
        choices=WEIGHTS,
        help='after training with EMAHook: the averaged weights, which were validated, '
        'or the raw weights of the optimizer (default: averaged if there are any)',
    )
    args = parser.parse_args(argv)
    path = publish(args.checkpoint, args.out, args.weights)
    before, after = (file.stat().st_size / 1e6 for file in (args.checkpoint, path))
    print(f'{args.checkpoint} ({before:.1f} MB) -> {path} ({after:.1f} MB)')
