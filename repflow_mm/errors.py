"""User errors, and how commands report them.

Only these are reported on one line. Anything else is a bug and keeps its traceback.
"""

import contextlib
import difflib
import errno
import functools
import os
import select
import sys
from collections.abc import Callable, Iterable

# The disk is full or read-only, which is not a bug.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class InputError(ValueError):
    """Invalid user input; the message says what is wrong, where, and what to do.

    Every subclass can be constructed from a single string, which is how data-loading
    workers pass exceptions to the main process.
    """


class InputTypeError(InputError, TypeError):
    """An argument or option of the wrong type."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder named by the user does not exist."""


class OutputError(InputError, OSError):
    """A file cannot be written to the requested location."""


class DivergenceError(InputError):
    """The loss of a training is NaN or infinite; with another seed it may not be."""


def command(main: Callable[..., int | None]) -> Callable[..., None]:
    """Decorate the main function of a command with error handling.

    An :class:`InputError`, raised in this process or in a data-loading worker, or a
    full or read-only disk gives one line on standard error and exit status 2; Ctrl-C
    gives status 130 and the message of the `KeyboardInterrupt`; a closed standard
    output (`| head`) silently gives status 141. Other exceptions keep their traceback.

    Args:
        main (Callable): Takes the arguments (default: those of the process); may return
            an exit status.

    Returns:
        Callable: The wrapped function, which may exit the process.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        if getattr(sys.stdout, 'errors', '') == 'strict':
            # A file name may hold what the terminal's encoding does not.
            with contextlib.suppress(AttributeError, ValueError):  # of other streams
                sys.stdout.reconfigure(errors='backslashreplace')
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
                raise  # a pipe other than standard output
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
    """Replace the middle of a long text with an ellipsis.

    Args:
        text (str): Any text, such as a line of a file.
        limit (int): Approximate number of characters to keep. Defaults to 200.

    Returns:
        str: At most `limit` characters plus `'...'`.
    """
    if len(text) <= limit:
        return text
    return f'{text[: limit // 2]}...{text[-limit // 2 :]}'


def _exit_with(line: str) -> None:
    print(f'error: {line}', file=sys.stderr)
    sys.exit(2)


def _discard_output() -> bool:
    """Drop pending output if standard output is closed or full; returns whether so."""
    try:
        sys.stdout.flush()
        poll = select.poll()
        poll.register(sys.stdout, 0)  # detects a pipe without a reader
        full = bool(poll.poll(0))
    except (AttributeError, ValueError):  # Windows, or not a real file
        full = False
    except OSError:
        full = True
    if full:
        # Python flushes again at exit, which would fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return full


def _own_words(error: InputError) -> str:
    """The message without the traceback that a data-loading worker adds to it."""
    text = str(error)
    if not text.startswith('Caught ') or 'Original Traceback' not in text:
        return text
    kind = f'{type(error).__module__}.{type(error).__qualname__}'
    return text.rpartition(f'\n{kind}: ')[2].strip()


def suggestion(word: str, known: Iterable[str]) -> str:
    """`', did you mean ...?'`, or an empty string."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f', did you mean {near[0]!r}?' if near else ''
