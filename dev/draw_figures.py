"""Draw the figures of `docs/layer.md` and `docs/motion_kinds.md`."""

from collections.abc import Sequence
from pathlib import Path

from dev.figures import convergence, known_motions
from dev.motion_kinds import KindPicture, save_webp
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command
from repflow_mm.synthetic import KINDS
from repflow_mm.visualization.sheet import save_png


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw the figures."""
    parser = Parser(description=main.__doc__)
    parser.add_argument(
        'folder',
        type=Path,
        metavar='FOLDER',
        help='output folder of PNG files, and of the WebP files in kinds/',
    )
    parser.add_argument(
        '--kinds',
        nargs='*',
        choices=list(KINDS),
        default=list(KINDS),
        metavar='KIND',
        help='kinds of the motion set to draw (default: all)',
    )
    args = parser.parse_args(argv)
    for draw in (known_motions, convergence):
        print(save_png(draw(), args.folder / f'{draw.__name__}.png'))
    for kind in args.kinds:
        picture, path = KindPicture(kind), args.folder / 'kinds' / f'{kind}.webp'
        print(save_webp(picture.film(), path))
        path = path.with_name(f'{kind}_sheet.webp')
        print(save_webp([picture.contact_sheet()], path))


if __name__ == '__main__':
    main()
