"""How our command lines end: one line for a person, or a traceback for us."""

import functools
import sys
import traceback
from collections.abc import Callable


def one_line_errors(main: Callable[..., None]) -> Callable[..., None]:
    """Print what this package found wrong with the input as one line, exit 2.

    Only `ValueError`, `TypeError` and `OSError` raised by this package's own
    code are such lines; anything else keeps its traceback.

    Args:
        main (Callable): The function behind a command line.

    Returns:
        Callable: The same function, which may end the process.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        try:
            main(*args, **kwargs)
        except (ValueError, TypeError, OSError) as error:
            *_, (frame, _) = traceback.walk_tb(error.__traceback__)
            if not frame.f_globals.get('__name__', '').startswith('repflow_mm'):
                raise
            print(f'error: {error}', file=sys.stderr)
            sys.exit(2)

    return wrapped
