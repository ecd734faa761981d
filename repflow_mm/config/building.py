"""Distinguish mistakes in a config from bugs, when objects are built from it.

MMEngine builds objects from a config; any exception may result, and is judged by its
type and origin. It is attributed to the config if its traceback contains no code of
this package, other than constructors that pass arguments on to their base class.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.registry.build_functions import build_from_cfg, build_scheduler_from_cfg
from mmengine.runner import Runner

from repflow_mm.config.tracebacks import in_words, is_ours, stack_of
from repflow_mm.errors import InputError, InputTypeError, MissingFileError, suggestion

# Errors that these raise while building are about their arguments.
_LIBRARIES = ('mmengine', 'mmaction', 'mmcv', 'torch')
_MISTAKES = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)
_BUILD = {function.__code__ for function in (build_from_cfg, build_scheduler_from_cfg)}
_UNEXPECTED = re.compile(
    r"([\w.]+?)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'"
)
_MISSING = re.compile(
    r'([\w.]+?)(?:\.__init__)?\(\) missing \d+ required [\w -]* arguments?: (.*)'
)
_RUNNER = inspect.getsourcefile(Runner)
_RUNNER_BUILDS = re.compile(
    'build_|__init__|from_cfg|set_randomness|setup_env|scale_lr|register_|_check_'
)
RUNNER_OPTIONS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self'}


@contextmanager
def building(config: Config) -> Iterator[None]:
    """Turn config mistakes that occur while building into `InputError` with the entry.

    Args:
        config (Config): The complete config.

    Raises:
        InputError: For an unknown `type`, an option that a class does not have, or a
            value that a class of MMEngine, MMAction2, mmcv or PyTorch rejects.
    """
    try:
        yield
    except InputError as error:
        stack = stack_of(error)
        builds = [i for i, frame in enumerate(stack) if frame.f_code in _BUILD]
        if builds and len(error.args) == 1:
            place = _place(stack[builds[-1]].f_locals['cfg'], config)
            error.args = (f'{place}: {error}',)
        raise
    except _MISTAKES as error:
        # The Runner suppresses the original exception of a failed hook.
        stack = stack_of(error)
        error.__suppress_context__ &= stack[-1].f_code.co_name != 'call_hook'
        hidden = None if error.__suppress_context__ else error.__context__
        if hidden is not None and (inner := stack_of(hidden)):
            stack = _joined(stack, inner)
        message = _building_error(hidden or error, stack, config)
        if message is None:
            raise
        raise _kind(error)(message) from error


def _kind(error: Exception) -> type[InputError]:
    if isinstance(error, FileNotFoundError):
        return MissingFileError
    return InputTypeError if isinstance(error, TypeError) else InputError


def _building_error(
    error: BaseException, stack: list[FrameType], config: Config
) -> str | None:
    """Describe a mistake in the config; None if the error is not about the config."""
    builds = [i for i, frame in enumerate(stack) if _builds(frame)]
    if not builds:
        return None
    build, inside = stack[builds[-1]], stack[builds[-1] + 1 :]
    if build.f_code not in _BUILD:
        if any(map(is_ours, inside)) or not _of_library(stack[-1]):
            return None
        return _runner_error(error, build, config)
    cfg, args = build.f_locals['cfg'], build.f_locals.get('args', {})
    place = _place(cfg, config)
    kind = build.f_locals.get('obj_type', build.f_locals.get('scheduler_type'))
    if not inside and isinstance(error, KeyError):
        if 'type' not in cfg:
            return f'{place}: it has no type, a registered class'
        return f'{place}: {unknown_type(kind, build.f_locals["registry"])}'
    function = build.f_locals.get('obj_cls', build.f_locals.get('scheduler_cls'))
    if not all(
        _passes_on(frame, below)
        for frame, below in zip(inside, [*inside[1:], None], strict=False)
        if is_ours(frame)
    ):
        return None
    if isinstance(error, TypeError):
        found = _UNEXPECTED.match(str(error))
        if found and found[2] in args and found[1] in _names(function):
            place = _place(cfg, config, found[2])
            return f'{place}: {_unknown_option(str(kind), found[2], function)}'
        found = _MISSING.match(str(error))
        if found and found[1] in _names(function):
            return f'{place}: {kind} needs {found[2]}'
    if inside and not _of_library(inside[-1]):
        return None
    return f'{place}: {in_words(error)}'


def _runner_error(error: BaseException, build: FrameType, config: Config) -> str:
    """The same for objects that the Runner builds directly, such as the DataLoader."""
    found = _UNEXPECTED.match(str(error))
    if found is None or not isinstance(error, TypeError):
        return f'{_name(config)}: {in_words(error)}'
    called = build.f_globals
    for name in found[1].split('.'):
        called = called.get(name) if isinstance(called, dict) else getattr(called, name)
    places = [key for key, entry in _entries(config) if found[2] in entry]
    where = ', '.join([_name(config), *places[:1]])
    return f'{where}: {_unknown_option(found[1], found[2], called)}'


def _unknown_option(name: str, option: str, called: Any) -> str:
    known = _options(called) if callable(called) else set()
    hint = suggestion(option, known)
    takes = f'it takes {", ".join(sorted(known))}' if known else 'see its documentation'
    return f'{name} has no option {option!r}' + (
        f'{hint} {takes[0].upper()}{takes[1:]}' if hint else f': {takes}'
    )


def _builds(frame: FrameType) -> bool:
    code = frame.f_code
    in_runner = code.co_filename == _RUNNER and _RUNNER_BUILDS.match(code.co_name)
    return code in _BUILD or bool(in_runner)


def _joined(outer: list[FrameType], inner: list[FrameType]) -> list[FrameType]:
    """The stack of an exception that another one replaced where it was caught."""
    caught = inner[0]
    return [*outer[: outer.index(caught)], *inner] if caught in outer else inner


def _of_library(frame: FrameType) -> bool:
    name = frame.f_globals.get('__name__', '').partition('.')[0]
    return name in _LIBRARIES or name in sys.stdlib_module_names


def _names(function: Any) -> set[str]:
    """Names by which errors refer to a class and its bases, or to a function."""
    classes = inspect.getmro(function) if inspect.isclass(function) else (function,)
    return {getattr(each, '__qualname__', '') for each in classes}


def _passes_on(frame: FrameType, below: FrameType | None) -> bool:
    """Whether one of our constructors failed in `super().__init__(...)`."""
    if frame.f_code.co_name != '__init__':
        return False
    if below is None:  # the arguments did not fit: there is no frame below
        return True
    own = frame.f_locals.get('self')
    return below.f_code.co_name == '__init__' and below.f_locals.get('self') is own


def _options(function: Any) -> set[str]:
    """Parameter names of a function, or of a class including its bases."""
    classes = inspect.getmro(function) if inspect.isclass(function) else (function,)
    found: set[str] = set()
    for each in classes:
        if inspect.isclass(each) and '__init__' not in vars(each):
            continue
        made = each.__init__ if inspect.isclass(each) else each
        parameters = inspect.signature(made).parameters.values()
        found |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, 2)}
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    return found - {'self'}


def unknown_type(name: Any, registry: Registry) -> str:
    """Message that a registry has no such class, with suggestions."""
    known: set[str] = set()
    while registry is not None:
        known |= registry.module_dict.keys()
        name_of, registry = registry.name, registry.parent
    there = f': there are {", ".join(sorted(known))}' if len(known) <= 20 else ''
    hint = suggestion(str(name), known) or there
    return f'there is no {name!r} among the registered {name_of}s{hint}'


def _place(cfg: Mapping, config: Config, option: str | None = None) -> str:
    """Location of an entry in a config, for example `x.py, model.backbone`.

    Entries that are not in the config literally are located by the wrong option.
    """
    entries = [
        (key, entry)
        for key, entry in _entries(config)
        if entry.get('type') == cfg.get('type')
    ]
    same = [
        key
        for key, entry in entries
        if all(repr(value) == repr(cfg.get(name)) for name, value in entry.items())
    ]
    keys = same or [key for key, _ in entries]
    keys = keys or [key for key, entry in _entries(config) if option in entry]
    # Prefer Runner entries to variables that the config was assembled from.
    keys = [key for key in keys if key.partition('.')[0] in RUNNER_OPTIONS] or keys
    return ', '.join([_name(config), ' and '.join(keys[:2])]).removesuffix(', ')


def _name(config: Config) -> str:
    return str(config.filename or 'config')


def _entries(node: Any, key: str = '') -> Iterator[tuple[str, Mapping]]:
    """Yield all dicts of a config with their dotted keys."""
    if isinstance(node, Mapping | Config):
        if key:
            yield key, node
        children = node.items()
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    else:
        return
    for name, child in children:
        yield from _entries(child, f'{key}.{name}'.removeprefix('.'))
