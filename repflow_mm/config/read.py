"""Read configs, with overrides from the command line."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from repflow_mm.config.building import RUNNER_OPTIONS
from repflow_mm.config.find import find_config
from repflow_mm.config.reading import reading_config
from repflow_mm.config.variables import RECORDS, apply_variables
from repflow_mm.errors import InputError, InputTypeError, suggestion

# Top-level config entries that are read by code: the Runner's, and others.
_OPTIONS = RUNNER_OPTIONS.union(
    (
        'channels_last',
        'class_names',
        'compile',
        'custom_imports',
        'decoder',
        'find_unused_parameters',
        'model_wrapper_cfg',
        'runner_type',
        'sync_bn',
    )
)
_MMENGINES_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)


def read_config(config: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read the config of a model.

    Args:
        config (str | Path): See :func:`find_config`. One that inherits
            `'repflow_mm::...'` needs `repflow_mm.plugin` imported before.
        options (Mapping[str, Any], optional): Overrides, as from `--cfg-options`; see
            :func:`apply_variables`.

    Returns:
        Config: The config; see :func:`remove_hooks` for default hooks set to `None`.

    Raises:
        MissingFileError: If the file does not exist.
        InputError: If the file is not a valid config, has no model or a misspelt
            top-level entry, or if `options` do not match it or give a variable an
            invalid value.
    """
    path = find_config(config)
    with reading_config(path):
        cfg = Config.fromfile(path)
    for name in cfg:
        # Only near misses of entries: a config may have variables of any name.
        near = difflib.get_close_matches(name, RUNNER_OPTIONS, 1, cutoff=0.9)
        if near and name not in RUNNER_OPTIONS:
            raise InputError(f'{path}: {name} has no effect, did you mean {near[0]}?')
    _override(cfg, options or {})
    if not isinstance(cfg.get('model'), Mapping):
        raise InputError(f'{path} describes no model: it has no model=dict(...)')
    apply_variables(cfg)
    return cfg


def remove_hooks(cfg: Config) -> None:
    """Remove default hooks set to `None`, which MMEngine does only for its own.

    Args:
        cfg (Config): A complete config, modified in place.
    """
    hooks = cfg.get('default_hooks') or {}
    for name in [n for n in hooks if hooks[n] is None and n not in _MMENGINES_HOOKS]:
        del hooks[name]


def _override(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge `--cfg-options` into a config."""
    for key in options:
        _check_key(cfg, key)
    try:
        cfg.merge_from_dict(dict(options))
    except (TypeError, KeyError) as error:  # a dict in place of a value, or vice versa
        raise InputError(
            f'--cfg-options {" ".join(options)}: {error.args[0]}'
        ) from error


def _check_key(cfg: Config, key: str) -> None:
    """Raise `InputError` if a dotted key cannot be resolved."""
    node, way = cfg, ''
    known = _OPTIONS.union(RECORDS, *(cfg.get(record) or () for record in RECORDS))
    for name in key.split('.'):
        if isinstance(node, list | tuple):
            if not name.isdigit() or int(name) >= len(node):
                raise InputError(
                    f'--cfg-options {key}: {way} has no entry {name!r}, it is a list '
                    f'of {len(node)}, counted from 0'
                )
            node = node[int(name)]
        elif isinstance(node, Mapping | Config):
            if not way and name not in known:
                raise InputError(
                    f'--cfg-options {key}: {name} is a variable that the config has '
                    'read already: set the entry that it is part of'
                    if name in node
                    else f'--cfg-options {key}: a config has no {name!r}'
                    f'{suggestion(name, known)}'
                )
            if name not in node:
                return  # a new entry: validated by whatever it configures
            node = node[name]
        elif node is None:
            return
        else:
            raise InputTypeError(
                f'--cfg-options {key}: {way} is {node!r}, which has no entries'
            )
        way = f'{way}.{name}'.removeprefix('.')
