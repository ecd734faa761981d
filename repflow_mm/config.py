"""Configs by name, read in one way: those of this package need no path."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from repflow_mm.config_errors import RUNNER_OPTIONS, reading_config, suggestion
from repflow_mm.errors import InputError, InputTypeError, MissingFileError

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / '.mim'  # OpenMMLab's place for them; setup.py puts them there

# Holds `tools/`, `configs/` and `model-index.yml`; in a clone, that is the clone.
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
_CONFIGS = SHIPPED / 'configs'
# Top-level entries that code looks up in a config: the Runner's, and others.
_OPTIONS = RUNNER_OPTIONS.union(
    ('class_names', 'decoder', 'find_unused_parameters', 'model_wrapper_cfg')
    + ('runner_type', 'custom_imports', 'compile', 'sync_bn')
)
_MMENGINES_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
)


def find_config(name: str | Path) -> Path:
    """The config file that a user means.

    A file that is there is that file. Otherwise the name is looked up among the configs
    of this package, so that `repflow_r50_block3_kinetics400.py` works in any folder:
    with or without `.py`, with `configs/` or `repflow_mm::` before it or nothing, and
    with the folder that it is in (`table1_placement/...`).

    Args:
        name (str | Path): A path, or the name of a config of this package.

    Returns:
        Path: A file.

    Raises:
        MissingFileError: Neither; it names configs that are spelt like it.
        InputError: If the file is no config.
    """
    if Path(name).is_file():
        if Path(name).suffix not in ('.py', '.json', '.yaml', '.yml'):
            raise InputError(f'{name} is no config, which ends in .py')
        return Path(name)
    ours = str(name).removeprefix('repflow_mm::').removeprefix('configs/')
    ours = f'{ours.removesuffix(".py")}.py'
    if not Path(ours).is_absolute() and (_CONFIGS / ours).is_file():
        return _CONFIGS / ours
    there = [path.relative_to(_CONFIGS).as_posix() for path in _CONFIGS.rglob('*.py')]
    close = [p for p in there if Path(p).name == Path(ours).name]
    close = close or difflib.get_close_matches(ours, there, n=2, cutoff=0.8)
    hint = f'; did you mean {" or ".join(sorted(close))}?' if close else ''
    raise MissingFileError(
        f'there is no config at {name}, and none of that name among those of '
        f'repflow_mm, in {_CONFIGS}{hint}'
    )


def read_config(config: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read the config of a model.

    Args:
        config (str | Path): See :func:`find_config`.
        options (Mapping[str, Any], optional): Overrides entries, as `--cfg-options`
            gives them; `decoder` reaches every `VideoInit`.

    Returns:
        Config: What it says. A default hook that is `None` is left out, where MMEngine
        takes that of its own hooks alone.

    Raises:
        MissingFileError: If there is no such file.
        InputError: If the file cannot be read as a config, describes no model, has a
            misspelt top-level entry, or if `options` do not fit into it.
    """
    path = find_config(config)
    with reading_config(path):
        cfg = Config.fromfile(path)
    for name in cfg:
        # Only what is almost an entry: a config may have variables of any name.
        near = difflib.get_close_matches(name, RUNNER_OPTIONS, 1, cutoff=0.9)
        if near and name not in RUNNER_OPTIONS:
            raise InputError(f'{path}: {name} means nothing, did you mean {near[0]}?')
    _override(cfg, options or {})
    if not isinstance(cfg.get('model'), Mapping):
        raise InputError(f'{path} describes no model: it has no model=dict(...)')
    if 'decoder' in cfg:
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            _choose_decoder(cfg.get(loader), cfg.decoder)
    hooks = cfg.get('default_hooks') or {}
    for name in [n for n in hooks if hooks[n] is None and n not in _MMENGINES_HOOKS]:
        del hooks[name]
    return cfg


def _override(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge `--cfg-options` into a config."""
    for key in options:
        _check_key(cfg, key)
    try:
        cfg.merge_from_dict(dict(options))
    except (TypeError, KeyError) as error:  # a dict where there is none, or no dict
        raise InputError(
            f'--cfg-options {" ".join(options)}: {error.args[0]}'
        ) from error


def _check_key(cfg: Config, key: str) -> None:
    """Raise `InputError` if a dotted key leads nowhere."""
    node, way = cfg, ''
    for name in key.split('.'):
        if isinstance(node, list | tuple):
            if not name.isdigit() or int(name) >= len(node):
                raise InputError(
                    f'--cfg-options {key}: {way} has no entry {name!r}, it is a list '
                    f'of {len(node)}, counted from 0'
                )
            node = node[int(name)]
        elif isinstance(node, Mapping | Config):
            if not way and name not in _OPTIONS:
                raise InputError(
                    f'--cfg-options {key}: {name} is a variable that the config has '
                    'read already: set the entry that it is part of'
                    if name in node
                    else f'--cfg-options {key}: a config has no {name!r}'
                    f'{suggestion(name, _OPTIONS)}'
                )
            if name not in node:
                return  # a new entry: what it is for has to know it
            node = node[name]
        elif node is None:
            return
        else:
            raise InputTypeError(
                f'--cfg-options {key}: {way} is {node!r}, which has no entries'
            )
        way = f'{way}.{name}'.removeprefix('.')


def _choose_decoder(node: Any, decoder: str) -> None:
    """Let every `VideoInit` below take the config's decoder."""
    if isinstance(node, dict):
        if node.get('type') == 'VideoInit':
            node['decoder'] = decoder
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _choose_decoder(child, decoder)
