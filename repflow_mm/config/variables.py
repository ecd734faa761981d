"""Variables of configs: one name that sets a value in many places.

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
| `split` | every `ann_file` named `..._split_SPLIT_...`, and such a `work_dir` |
| `kind` | `data/KIND` (a motion set), its classes, and whether clips are mirrored |
| `decoder` | every `VideoInit` |

One needs no declaration: with `channels_last=True`, the weights of convolutions are
stored channels-last.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from repflow_mm.errors import InputError
from repflow_mm.synthetic.kinds import KINDS

# Where the bases declare them.
RECORDS = ('data_variables', 'schedule_variables')

_RESIZE = 'Resize', 'FlowResize'

_Place = tuple[dict, str, Any]  # an entry, one of its keys, and the value to set
_Follow = Callable[[dict, Any, Any], Iterator[_Place]]


def apply_variables(cfg: dict) -> None:
    """Update the entries that depend on variables whose values have changed.

    A variable that still has its declared value changes nothing, so that entries which
    were overridden by their full name are kept. The function is idempotent.

    Args:
        cfg (dict): The complete config, modified in place.

    Raises:
        InputError: If a variable has an invalid value.
    """
    for record in RECORDS:
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
                raise InputError(
                    f'{name}={now} changes nothing, because no entry of this config '
                    f'uses it: leave it at {before!r}'
                )
            for entry, key, value in places:
                entry[key] = value
            declared[name] = now
        if declared.get('crop_size', 0) > declared.get('short_side', float('inf')):
            raise InputError(
                f'crop_size={declared["crop_size"]} does not fit into frames with '
                f'short_side={declared["short_side"]}: set both'
            )
    if 'channels_last' in cfg:
        hooks, hook = cfg.get('custom_hooks') or [], dict(type='ChannelsLastHook')
        others = [each for each in hooks if each != hook]
        if cfg['channels_last']:
            cfg['custom_hooks'] = hooks if hook in hooks else [*hooks, hook]
        elif len(others) < len(hooks):  # that of a config it inherits from
            cfg['custom_hooks'] = others


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
    if name == 'split':
        if not re.fullmatch(r'\w+', str(value)):
            raise InputError(f'split has to be the name of a split, got {value!r}')
        return
    if name == 'decoder':
        return  # VideoInit checks it
    if name == 'kind':
        if str(value) not in KINDS:
            raise InputError(f'kind has to be one of {", ".join(KINDS)}, got {value!r}')
        return
    fraction = name in ('start_factor', 'ema_momentum')
    kinds = (int, float) if fraction else int
    right = isinstance(value, kinds) and not isinstance(value, bool) and value > 0
    if fraction:
        # A momentum of 1 does not average; ExpMomentumEMA refuses it by an assertion.
        right = right and (value < 1 if name == 'ema_momentum' else value <= 1)
    if not right:
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


def _steps_of(kind: str, key: str, test: bool = False) -> _Follow:
    def places(cfg: dict, before: Any, now: Any) -> Iterator[_Place]:
        for step in _steps(cfg, kind, test=test):
            yield step, key, now

    return places


def _short_side(cfg: dict, before: int, now: int) -> Iterator[_Place]:
    for step in _steps(cfg, *_RESIZE, 'ThreeCrop'):
        if step['type'] == 'ThreeCrop':
            yield step, 'crop_size', now
        elif -1 in _size(step):
            yield step, 'scale', (-1, now)


def _crop_size(cfg: dict, before: int, now: int) -> Iterator[_Place]:
    keys = dict(MultiScaleCrop='input_size', RandomCrop='size', CenterCrop='crop_size')
    for step in _steps(cfg, *_RESIZE, *keys):
        if step['type'] in keys:
            yield step, keys[step['type']], now
        elif _size(step) and -1 not in _size(step):
            yield step, 'scale', (now, now)


def _size(resize: dict) -> tuple[int, ...]:
    """Width and height of a step; none if its scale is a factor."""
    scale = resize['scale']
    return tuple(scale) if isinstance(scale, list | tuple) else ()


def _max_epochs(cfg: dict, before: int, now: int) -> Iterator[_Place]:
    loop = cfg.get('train_cfg')
    if loop is not None and 'max_iters' not in loop:
        yield loop, 'max_epochs', now
    for scheduler in _items(cfg, 'param_scheduler'):
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


def _split(cfg: dict, before: str, now: str) -> Iterator[_Place]:
    folder = cfg.get('work_dir') or ''
    if folder.endswith(f'_split{before}'):
        yield cfg, 'work_dir', f'{folder.removesuffix(str(before))}{now}'
    for node in _datasets(cfg):
        lists = node.get('ann_file')
        if isinstance(lists, str) and f'_split_{before}_' in lists:
            yield node, 'ann_file', lists.replace(f'_split_{before}_', f'_split_{now}_')


def _kind(cfg: dict, before: str, now: str) -> Iterator[_Place]:
    classes = list(KINDS[now].classes)
    yield cfg, 'class_names', classes
    for stream in cfg['model'].get('streams', [cfg['model']]):
        yield stream['cls_head'], 'num_classes', len(classes)
    for node in _datasets(cfg):
        for key in ('ann_file', 'video'):
            path, folder = node.get(key), f'data/{before}/'
            if isinstance(path, str) and path.startswith(folder):
                yield node, key, f'data/{now}/{path.removeprefix(folder)}'
    if classes != list(KINDS['motion'].classes):
        for node in (cfg, *_datasets(cfg)):
            for key in ('train_pipeline', 'pipeline'):
                if key in node:
                    yield node, key, [s for s in node[key] if s['type'] != 'Flip']


def _datasets(cfg: dict) -> Iterator[dict]:
    """Yield all dictionaries in data loaders, those of datasets among them."""
    nodes = [cfg.get(f'{part}_dataloader') for part in ('train', 'val', 'test')]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            yield node
            nodes += node.values()
        elif isinstance(node, list | tuple):
            nodes += node


def _items(cfg: dict, entry: str) -> list[dict]:
    """What an entry lists; it may be a single dictionary."""
    items = cfg.get(entry) or []
    return [items] if isinstance(items, dict) else items


def _entry(entry: str, kind: str, key: str) -> _Follow:
    def places(cfg: dict, before: float, now: float) -> Iterator[_Place]:
        for item in _items(cfg, entry):
            if item['type'] == kind:
                yield item, key, now

    return places


_PLACES: dict[str, _Follow] = dict(
    clip_len=_steps_of('SampleFrames', 'clip_len'),
    frame_interval=_steps_of('SampleFrames', 'frame_interval'),
    num_clips=_steps_of('SampleFrames', 'num_clips', test=True),
    decoder=_steps_of('VideoInit', 'decoder'),
    short_side=_short_side,
    crop_size=_crop_size,
    max_epochs=_max_epochs,
    start_factor=_entry('param_scheduler', 'LinearLR', 'start_factor'),
    ema_momentum=_entry('custom_hooks', 'EMAHook', 'momentum'),
    split=_split,
    kind=_kind,
)
