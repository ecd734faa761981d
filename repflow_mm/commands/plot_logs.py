"""Plot the learning curves of several training runs."""

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.commands._parser import Parser
from repflow_mm.errors import InputError, command
from repflow_mm.visualization.learning_curves import KEYS, choose_keys, draw_curves
from repflow_mm.visualization.run_log import read_run


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Plot learning curves.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Plot the learning curves of training runs, finished or running, '
        'together: one panel per logged scalar. A resumed run gives a single curve'
    )
    parser.add_argument(
        'runs', nargs='+', type=Path, metavar='RUN', help='work dir of a training'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('curves.png'),
        metavar='FILE',
        help='PNG to write',
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        metavar='KEY',
        help="scalars to plot, e.g. grad_norm 'flow/*/div_*' (default: "
        f'{" ".join(KEYS)}, where they were logged)',
    )
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != '.png':
        raise InputError(f'--out {args.out}: name a file that ends in .png')
    runs = {
        name: read_run(folder)
        for name, folder in zip(_names(args.runs), args.runs, strict=True)
    }
    draw_curves(runs, choose_keys(runs, args.keys), args.out)
    print(f'wrote {args.out}')


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest trailing parts of the paths that distinguish them."""
    paths = [folder.resolve() for folder in folders]
    for count in range(1, max(len(path.parts) for path in paths) + 1):
        names = ['/'.join(path.parts[-count:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            break
    return names
