"""Errors that are the user's to correct, and how a command line ends on them.

Only these become one line. Anything else is a bug of ours and keeps its traceback.
"""

import errno
import functools
import os
import select
import sys
from collections.abc import Callable

# The disk is full or read-only: nobody's code is at fault.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class InputError(ValueError):
    """Something a user gave is wrong; the message says what, where and what to do.

    Every subclass can be built from one string: that is how a data-loading worker hands
    an exception to the main process.
    """


class InputTypeError(InputError, TypeError):
    """An argument or option of the wrong type."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that a user named is not there."""


class OutputError(InputError, OSError):
    """A file cannot be written where a user wants it."""


def command(main: Callable[..., int | None]) -> Callable[..., None]:
    """Turn a function into a command line that ends well.

    An :class:`InputError`, raised in this process or in a data-loading worker, and a
    disk that is full or read-only end in one line on standard error and exit status 2;
    Ctrl-C in status 130, with what the `KeyboardInterrupt` says; a closed standard
    output (`| head`) silently in status 141. Any other exception keeps its traceback.

    Args:
        main (Callable): Takes the arguments (default: those of the process); may return
            an exit status.

    Returns:
        Callable: The same function, which may end the process.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        try:
            try:
                status = main(*args, **kwargs)
            except SystemExit as stop:  # `--help`
                status = stop.code
            sys.stdout.flush()  # here, where a failure can still be handled
        except KeyboardInterrupt as stop:
            print(stop if stop.args else 'stopped', file=sys.stderr)
            sys.exit(130)
        except InputError as error:
            _exit_with(_own_words(error))
        except BrokenPipeError:
            if not _discard_output():
                raise  # another pipe than standard output
            sys.exit(141)
        except OSError as error:
            if error.errno not in _DISK:
                raise
            _discard_output()
            name = f'{error.filename} ' if error.filename else ''
            _exit_with(f'cannot write {name}({error.strerror})')
        if status:
            sys.exit(status)

    return wrapped


def shorten(text: str, limit: int = 200) -> str:
    """The text with its middle left out if it is too long for a message.

    Args:
        text (str): Any text, such as a line of a file.
        limit (int): Characters to keep, approximately. Defaults to 200.

    Returns:
        str: At most that many, and `'...'`.
    """
    if len(text) <= limit:
        return text
    return f'{text[: limit // 2]}...{text[-limit // 2 :]}'


def _exit_with(line: str) -> None:
    print(f'error: {line}', file=sys.stderr)
    sys.exit(2)


def _discard_output() -> bool:
    """Whether standard output takes nothing more; what is left to write is dropped."""
    try:
        sys.stdout.flush()
        poll = select.poll()
        poll.register(sys.stdout, 0)  # tells of a pipe that nobody reads from
        full = bool(poll.poll(0))
    except (AttributeError, ValueError):  # Windows, or no file at all
        full = False
    except OSError:
        full = True
    if full:
        # Python flushes once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return full


def _own_words(error: InputError) -> str:
    """The message; of an error in a data-loading worker, without its traceback."""
    text = str(error)
    if not text.startswith('Caught ') or 'Original Traceback' not in text:
        return text
    kind = f'{type(error).__module__}.{type(error).__qualname__}'
    return text.rpartition(f'\n{kind}: ')[2].strip()
