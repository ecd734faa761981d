"""Draw the figures of `docs/layer.md`."""

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command
from repflow_mm.files import atomic_path
from repflow_mm.visualization.figures import convergence, known_motions


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figures."""
    parser = Parser(description=main.__doc__)
    parser.add_argument(
        'folder', type=Path, metavar='FOLDER', help='where the PNG files go'
    )
    folder = parser.parse_args(argv).folder
    for draw in (known_motions, convergence):
        path = folder / f'{draw.__name__}.png'
        # No version in the file: the same figure has the same bytes.
        with atomic_path(path) as unfinished:
            draw().savefig(unfinished, dpi=110, metadata={'Software': None})
        print(path)
