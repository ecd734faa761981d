"""Find and read configs; those of this package are found by name.

A *variable* is a top-level entry of a config that sets a value in many places, such as
`clip_len`: set it in an inheriting config or by `--cfg-options`, and all of them are
updated. The bases in `configs/_base_` declare their variables and original values in
`data_variables` and `schedule_variables`:

| variable | updated entries |
|---|---|
| `clip_len`, `frame_interval` | every `SampleFrames` |
| `num_clips` | `SampleFrames` of the test pipeline |
| `short_side` | every `Resize` of the short side, and `ThreeCrop` |
| `crop_size` | the crops, and the `Resize` to a square |
| `max_epochs` | the training loop, and schedulers that end with it |
| `start_factor` | `LinearLR`, the warm-up |
| `ema_momentum` | `EMAHook` |

`decoder` needs no declaration: it is passed to every `VideoInit`.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from repflow_mm.config_errors import RUNNER_OPTIONS, reading_config, suggestion
from repflow_mm.errors import InputError, InputTypeError, MissingFileError

_Place = tuple[dict, str, Any]  # an entry, one of its keys, and the value to set
_Follow = Callable[[dict, Any, Any], Iterator[_Place]]

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / '.mim'  # OpenMMLab's place for them; setup.py puts them there

# Holds `tools/`, `configs/` and `model-index.yml`; in a clone, that is the clone.
SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
_CONFIGS = SHIPPED / 'configs'
# Top-level config entries that are read by code: the Runner's, and others.
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
    """Find a config file by path or name.

    An existing file takes precedence. Otherwise the name is looked up among the configs
    of this package, so that `repflow_r50_block3_kinetics400.py` works in any folder:
    with or without `.py`, optionally prefixed with `configs/` or `repflow_mm::`, and
    including its subfolder (`table1_placement/...`).

    Args:
        name (str | Path): A path, or the name of a config of this package.

    Returns:
        Path: The file.

    Raises:
        MissingFileError: If there is neither; the message suggests similar names.
        InputError: If the file is not a config.
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
        options (Mapping[str, Any], optional): Overrides, as from `--cfg-options`; see
            :func:`apply_variables`.

    Returns:
        Config: The config. Default hooks set to `None` are removed, which MMEngine
        supports only for its own hooks.

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
            raise InputError(f'{path}: {name} means nothing, did you mean {near[0]}?')
    _override(cfg, options or {})
    if not isinstance(cfg.get('model'), Mapping):
        raise InputError(f'{path} describes no model: it has no model=dict(...)')
    apply_variables(cfg)
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
    except (TypeError, KeyError) as error:  # a dict in place of a value, or vice versa
        raise InputError(
            f'--cfg-options {" ".join(options)}: {error.args[0]}'
        ) from error


def _check_key(cfg: Config, key: str) -> None:
    """Raise `InputError` if a dotted key cannot be resolved."""
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
                return  # a new entry: validated by whatever it configures
            node = node[name]
        elif node is None:
            return
        else:
            raise InputTypeError(
                f'--cfg-options {key}: {way} is {node!r}, which has no entries'
            )
        way = f'{way}.{name}'.removeprefix('.')


def apply_variables(cfg: dict) -> None:
    """Update the entries that depend on variables whose values have changed.

    A variable that still has its declared value changes nothing, so that entries which
    were overridden by their full name are kept. The function is idempotent.

    Args:
        cfg (dict): The complete config, modified in place.

    Raises:
        InputError: If a variable has an invalid value.
    """
    for record in ('data_variables', 'schedule_variables'):
        declared = cfg.get(record) or {}
        for name, before in list(declared.items()):
            if name not in _PLACES:
                raise InputError(f'{record}: {name!r} is not one of {list(_PLACES)}')
            now = cfg.get(name, before)
            if now == before:
                continue
            _check(name, now)
            places = list(_PLACES[name](cfg, before, now))
            if not places:
                raise InputError(f'{name}={now} changes nothing: no entry follows it')
            for entry, key, value in places:
                entry[key] = value
            declared[name] = now
        if declared.get('crop_size', 0) > declared.get('short_side', float('inf')):
            raise InputError(
                f'crop_size={cfg["crop_size"]} does not fit into frames with '
                f'short_side={cfg["short_side"]}: set both'
            )
    if 'decoder' in cfg:
        for step in _steps(cfg, 'VideoInit'):
            step['decoder'] = cfg['decoder']


def set_variables(cfg: dict, **values: Any) -> None:
    """Set variables of a config and update the entries that depend on them.

    In a config file, `set_variables(_base_, clip_len=16)` works with every reader,
    whereas `clip_len = 16` requires one that calls :func:`apply_variables`, as our
    tools and `VariablesRunner` do.

    Args:
        cfg (dict): The config, modified in place.
        **values: Values of the variables.
    """
    cfg.update(values)
    apply_variables(cfg)


def _check(name: str, value: Any) -> None:
    fraction = name in ('start_factor', 'ema_momentum')
    kinds = (int, float) if fraction else int
    right = isinstance(value, kinds) and not isinstance(value, bool) and value > 0
    if not right or (fraction and value > 1):
        what = 'a number between 0 and 1' if fraction else 'a whole number above 0'
        raise InputError(f'{name} has to be {what}, got {value!r}')


def _steps(cfg: dict, *kinds: str, test: bool = False) -> Iterator[dict]:
    """Yield all transforms of some types, in pipelines and their copies in datasets."""
    parts = ('test',) if test else ('train', 'val', 'test')
    entries = (f'{p}_{what}' for p in parts for what in ('pipeline', 'dataloader'))
    nodes = [cfg[entry] for entry in entries if cfg.get(entry)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if node.get('type') in kinds:
                yield node
            nodes += node.values()
        elif isinstance(node, (list, tuple)):
            nodes += node


# The entries that each variable updates, given its previous and new values.


def _sampling(key: str, test: bool = False) -> _Follow:
    def places(cfg: dict, before: int, now: int) -> Iterator[_Place]:
        for step in _steps(cfg, 'SampleFrames', test=test):
            yield step, key, now

    return places


def _short_side(cfg: dict, before: int, now: int) -> Iterator[_Place]:
    for step in _steps(cfg, 'Resize', 'ThreeCrop'):
        if step['type'] == 'ThreeCrop':
            yield step, 'crop_size', now
        elif -1 in step['scale']:
            yield step, 'scale', (-1, now)


def _crop_size(cfg: dict, before: int, now: int) -> Iterator[_Place]:
    keys = dict(MultiScaleCrop='input_size', RandomCrop='size', CenterCrop='crop_size')
    for step in _steps(cfg, 'Resize', *keys):
        if step['type'] != 'Resize':
            yield step, keys[step['type']], now
        elif -1 not in step['scale']:
            yield step, 'scale', (now, now)


def _max_epochs(cfg: dict, before: int, now: int) -> Iterator[_Place]:
    yield cfg['train_cfg'], 'max_epochs', now
    for scheduler in cfg['param_scheduler']:
        begin = scheduler.get('begin', 0)
        if scheduler.get('T_max') == before - begin:
            if now <= begin:
                raise InputError(
                    f'max_epochs={now} ends before {scheduler["type"]} begins, at '
                    f'epoch {begin}: train longer, or give another param_scheduler'
                )
            yield scheduler, 'T_max', now - begin
        if scheduler.get('end') == before:
            yield scheduler, 'end', now


def _entry(entry: str, kind: str, key: str) -> _Follow:
    def places(cfg: dict, before: float, now: float) -> Iterator[_Place]:
        for item in cfg.get(entry) or []:
            if item['type'] == kind:
                yield item, key, now

    return places


_PLACES: dict[str, _Follow] = dict(
    clip_len=_sampling('clip_len'),
    frame_interval=_sampling('frame_interval'),
    num_clips=_sampling('num_clips', test=True),
    short_side=_short_side,
    crop_size=_crop_size,
    max_epochs=_max_epochs,
    start_factor=_entry('param_scheduler', 'LinearLR', 'start_factor'),
    ema_momentum=_entry('custom_hooks', 'EMAHook', 'momentum'),
)
