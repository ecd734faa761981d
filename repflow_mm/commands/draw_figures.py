"""Draw the figures of `docs/layer.md`."""

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command
from repflow_mm.visualization.figures import convergence, known_motions
from repflow_mm.visualization.sheet import save_png


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figures."""
    parser = Parser(description=main.__doc__)
    parser.add_argument(
        'folder', type=Path, metavar='FOLDER', help='output folder of the PNG files'
    )
    folder = parser.parse_args(argv).folder
    for draw in (known_motions, convergence):
        print(save_png(draw(), folder / f'{draw.__name__}.png'))
