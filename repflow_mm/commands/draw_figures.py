"""Draw the figures of `docs/layer.md`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.errors import command
from repflow_mm.visualization.figures import convergence, known_motions


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('folder', type=Path, help='where the PNG files go')
    folder = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (known_motions, convergence):
        path = folder / f'{draw.__name__}.png'
        # No version in the file: the same figure has the same bytes.
        draw().savefig(path, dpi=110, metadata={'Software': None})
        print(path)
