"""Configs by name, read in one way: those of this package need no path."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from repflow_mm.errors import InputError, MissingFileError

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / '.mim'  # OpenMMLab's place for them; setup.py puts them there

# Holds `tools/`, `configs/` and `model-index.yml`; in a clone, that is the clone.
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
_CONFIGS = SHIPPED / 'configs'
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
        FileNotFoundError: Neither; it names configs that are spelt like it.
        ValueError: If the file is no config.
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
    """Read a config.

    Args:
        config (str | Path): See :func:`find_config`.
        options (Mapping[str, Any], optional): Overrides entries, as `--cfg-options`
            gives them; `decoder` reaches every `VideoInit`.

    Returns:
        Config: What it says. A default hook that is `None` is left out, where MMEngine
        takes that of its own hooks alone.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    cfg = Config.fromfile(find_config(config))
    if options is not None:
        cfg.merge_from_dict(dict(options))
    if 'decoder' in cfg:
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            _choose_decoder(cfg.get(loader), cfg.decoder)
    hooks = cfg.get('default_hooks') or {}
    for name in [n for n in hooks if hooks[n] is None and n not in _MMENGINES_HOOKS]:
        del hooks[name]
    return cfg


def _choose_decoder(node: Any, decoder: str) -> None:
    """Let every `VideoInit` below take the config's decoder."""
    if isinstance(node, dict):
        if node.get('type') == 'VideoInit':
            node['decoder'] = decoder
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            _choose_decoder(child, decoder)
