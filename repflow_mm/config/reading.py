"""Mistakes in a config file, which MMEngine executes: any exception may result."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from repflow_mm.config.tracebacks import in_words, is_ours, stack_of
from repflow_mm.errors import InputError


@contextmanager
def reading_config(path: Path) -> Iterator[None]:
    """Turn errors in a config file into `InputError` with the file and line.

    Args:
        path (Path): The file.

    Raises:
        InputError: For any exception raised by the config or MMEngine's reader.
    """
    try:
        yield
    except InputError as error:
        raise type(error)(f'{path}: {error}') from None
    except Exception as error:  # a config is a program and may raise anything
        origin = error.__cause__ if isinstance(error, ImportError) else error
        stack = stack_of(origin or error)
        begin = [i for i, f in enumerate(stack) if f.f_code is Config.fromfile.__code__]
        if any(map(is_ours, stack[begin[0] :] if begin else stack)):
            raise
        raise InputError(_reading_error(error, path)) from error


def _reading_error(error: Exception, path: Path) -> str:
    """Describe an error in a config file or one of its bases."""
    frames = list(traceback.walk_tb(error.__traceback__))
    read = [
        frame.f_locals['filename']
        for frame, _ in frames
        if frame.f_code.co_name in ('_file2dict', '_is_lazy_import', 'fromfile')
        and 'filename' in frame.f_locals
    ]
    file = read[-1] if read else str(path)
    if isinstance(error, SyntaxError):
        source = error.__context__ if error.lineno is None else error
        where = f', line {source.lineno}' if getattr(source, 'lineno', None) else ''
        return f'{file}{where}: {getattr(source, "msg", source)}'
    if isinstance(error, FileNotFoundError) and not Path(file).exists():
        by = next((name for name in reversed(read) if name != file), path)
        return f'{by}: there is no {file}, which _base_ names'
    if isinstance(error, ImportError) and error.__cause__ is not None:
        return (
            f'{path}: custom_imports cannot be imported ({error.__cause__}): add the '
            'folder that holds the module to PYTHONPATH'
        )
    lines = [line for frame, line in frames if frame.f_code.co_filename == file]
    where = f', line {lines[-1]}' if lines else ''
    return f'{file}{where}: {in_words(error)}'
