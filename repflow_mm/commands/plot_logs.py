"""Draw the learning curves of several trainings."""

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command
from repflow_mm.visualization.learning_curves import KEYS, choose_keys, draw_curves
from repflow_mm.visualization.run_log import read_run


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw learning curves.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Draw the learning curves of trainings, finished or running, over '
        'each other: one panel for each number that was logged. What was resumed is '
        'one curve'
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
        help="what to draw, such as grad_norm 'flow/*/div_*' (default: "
        f'{" ".join(KEYS)}, where they were logged)',
    )
    args = parser.parse_args(argv)
    runs = {
        name: read_run(folder)
        for name, folder in zip(_names(args.runs), args.runs, strict=True)
    }
    draw_curves(runs, choose_keys(runs, args.keys), args.out)
    print(f'wrote {args.out}')


def _names(folders: Sequence[Path]) -> list[str]:
    """The last parts of paths, as few as tell them apart."""
    paths = [folder.resolve() for folder in folders]
    for count in range(1, max(len(path.parts) for path in paths) + 1):
        names = ['/'.join(path.parts[-count:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            break
    return names
