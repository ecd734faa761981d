"""Errors: the code they passed through, and their message on one line."""

import os
import traceback
from pathlib import Path
from types import FrameType

from repflow_mm.errors import shorten

_PACKAGE = os.path.join(Path(__file__).parents[1], '')  # as in code objects
_WORKAROUNDS = os.path.join(_PACKAGE, 'compat', '')


def stack_of(error: BaseException) -> list[FrameType]:
    """The stack frames that an error passed through, the outermost first."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs our code, other than workarounds for libraries."""
    file = frame.f_code.co_filename
    return file.startswith(_PACKAGE) and not file.startswith(_WORKAROUNDS)


def in_words(error: BaseException) -> str:
    """Format an error on one line; `str()` of a `KeyError` would quote its message."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    if not str(text):  # a bare `assert`
        text = traceback.extract_tb(error.__traceback__)[-1].line
    return f'{type(error).__name__}: {shorten(" ".join(str(text).split()), 300)}'
