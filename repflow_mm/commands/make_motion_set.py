"""Write the synthetic motion set."""

import argparse
from collections.abc import Sequence
from dataclasses import fields

from repflow_mm.datasets.synthetic.motion_set import KINDS, MotionSet
from repflow_mm.errors import command


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write the set from the command line.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='Write the synthetic motion set: real mp4 files in the layout '
        'of Kinetics whose class is how they move'
    )
    parser.add_argument('root', help='folder of the set, such as data/motion')
    for field in fields(MotionSet):
        name = field.name.replace('_', '-')
        choices = tuple(KINDS) if field.name == 'kind' else None
        kind = type(field.default)
        parser.add_argument(
            f'--{name}', type=kind, default=field.default, choices=choices
        )
    options = vars(parser.parse_args(argv))
    root = options.pop('root')
    MotionSet(**options).write(root)
