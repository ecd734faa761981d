"""How our command lines end: one line for a person, or a traceback for us."""

import errno
import functools
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

# The disk is full or read-only: nobody's code is at fault.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_PACKAGE = Path(__file__).resolve().parent


def one_line_errors(main: Callable[..., None]) -> Callable[..., None]:
    """Print what this package found wrong with the input as one line, exit 2.

    Only `ValueError`, `TypeError` and `OSError` raised by this package's own code, in
    this process or in a data-loading worker, are such lines, and a disk that is full or
    read-only; anything else keeps its traceback.

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
            if frame.f_globals.get('__name__', '').startswith('repflow_mm'):
                line = str(error)
            elif getattr(error, 'errno', None) in _DISK:
                line = str(error)
            elif not (line := _from_worker(error)):
                raise
            print(f'error: {line}', file=sys.stderr)
            sys.exit(2)

    return wrapped


def shorten(text: str, limit: int = 200) -> str:
    """The text with its middle left out if it is too long for a message.

    Args:
        text (str): Any text, a file's line for one.
        limit (int): Characters to keep, about. Defaults to 200.

    Returns:
        str: At most that many, and `'...'`.
    """
    if len(text) <= limit:
        return text
    return f'{text[: limit // 2]}...{text[-limit // 2 :]}'


def _from_worker(error: Exception) -> str:
    """Our line out of the traceback that a data-loading worker sends as text."""
    text = str(error)
    kind = type(error).__name__
    *_, place = [''] + re.findall(r'^  File "(.+)", line \d+, in .+$', text, re.M)
    if not text.startswith('Caught ') or Path(place).parent.parent != _PACKAGE:
        return ''
    return text.rpartition(f'\n{kind}: ')[2].strip()
