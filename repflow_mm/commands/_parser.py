"""Argument parser of all commands, with one-line errors and defaults in the help."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from repflow_mm.errors import InputError

_SUPPRESS = argparse.SUPPRESS


class _Formatter(argparse.HelpFormatter):
    """Shows defaults, except for flags and options without one."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or '', action.default
        shown = isinstance(default, (list, tuple, range))
        default = ' '.join(map(str, default)) if shown else default
        silent = default is None or isinstance(default, bool) or default == _SUPPRESS
        if not action.option_strings or silent or 'default' in text:
            return text
        return f'{text} (default: {default})'.strip().replace('%', '%%')


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are :class:`InputError`.

    Options cannot be abbreviated: new options could change the meaning of old commands.
    """

    def __init__(self, *args, **kwargs) -> None:
        kwargs = dict(formatter_class=_Formatter, allow_abbrev=False) | kwargs
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise :class:`InputError`."""
        raise InputError(f'{message} (see {self.prog} --help)')


def at_least(lowest: int) -> Callable[[str], int]:
    """Argument type: an integer of at least `lowest`."""

    def integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < lowest:
            raise argparse.ArgumentTypeError(
                f'must be an integer of at least {lowest}, got {text}'
            )
        return value

    return integer


def number(text: str) -> float:
    """Argument type: a finite number of at least 0, such as seconds."""
    try:
        value = float(text)
    except ValueError:
        value = float('nan')
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'must be a number of at least 0, got {text}')
    return value
