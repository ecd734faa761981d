"""Write the synthetic motion set."""

from collections.abc import Sequence
from dataclasses import fields

from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command
from repflow_mm.synthetic import KINDS, MotionSet

_HELP = dict(
    seed='seeds every random choice',
    train_clips='training clips per class',
    val_clips='validation clips per class',
    size='height and width in pixels, an even number',
    frames='frames per clip',
    kind='what the classes are, and what makes them hard: docs/motion_kinds.md',
)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write the motion set.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Write the synthetic motion set: mp4 files in the layout of '
        'Kinetics, whose classes differ only in motion'
    )
    parser.add_argument(
        'root', metavar='FOLDER', help='folder of the set, e.g. data/motion'
    )
    for field in fields(MotionSet):
        name = field.name.replace('_', '-')
        choices = tuple(KINDS) if field.name == 'kind' else None
        default = " (default: the kind's)" if field.default is None else ''
        parser.add_argument(
            f'--{name}',
            type=str if choices else int,
            default=field.default,
            choices=choices,
            metavar=None if choices else 'N',
            help=_HELP[field.name] + default,
        )
    options = vars(parser.parse_args(argv))
    root = options.pop('root')
    MotionSet(**options).write(root)
