"""Checks of arguments, with one wording for all."""

from repflow_mm.errors import InputError, InputTypeError


def check_count(name: str, value: object, lowest: int = 1) -> int:
    """Return `value`; raise unless it is an integer of at least `lowest`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputTypeError(f'{name} must be an int, got {value!r}')
    if value < lowest:
        raise InputError(f'{name} must be at least {lowest}, got {value}')
    return value


def check_number(name: str, value: object) -> float:
    """Return `value`; raise `InputTypeError` unless it is a number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InputTypeError(f'{name} must be a number, got {value!r}')
    return value


def check_flag(name: str, value: object) -> None:
    """Raise `InputTypeError` unless `value` is True or False."""
    if not isinstance(value, bool):
        raise InputTypeError(f'{name} must be True or False, got {value!r}')


def check_choice(name: str, value: object, choices: tuple) -> None:
    """Raise `InputError` unless `value` is one of `choices`."""
    if value not in choices:
        raise InputError(f'{name} must be one of {choices}, got {value!r}')
