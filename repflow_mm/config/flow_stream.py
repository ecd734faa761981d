"""Turn the config of an RGB network into one of a flow stream, or of two streams."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from repflow_mm.errors import InputError

# Augmentations of MMAction2 that change colours, or are other packages' for pictures.
_OF_COLOURS = (
    'ColorJitter',
    'ImgAug',
    'PytorchVideoWrapper',
    'RandomErasing',
    'TorchVisionWrapper',
)
_INSTEAD = dict(Resize='FlowResize', DecordDecode='VideoDecode')


def set_flow(cfg: dict, length: int | None = None, **options: Any) -> None:
    """Give a network optical flow in place of RGB.

    In a config file: `set_flow(_base_, length=5, size=112)`.

    Args:
        cfg (dict): The config of an RGB network on clips, modified in place. Its
            pipelines decode by `VideoDecode` or `DecordDecode`.
        length (int, optional): For a 2D network, flows in a stack
            (:class:`repflow_mm.datasets.StackFlow`); stacks overlap, `stride` apart.
            Defaults to none: two channels, for a 3D network.
        **options: `stride` (1), and those of :class:`repflow_mm.datasets.ComputeFlow`.
            `twice` is `of` of :class:`repflow_mm.datasets.ComputeFlowOfFlow`, for the
            flow of that flow (none).

    Raises:
        InputError: If a pipeline decodes no video or augments colours, or if `method`
            is a function that a config cannot name.
    """
    compute, stack, channels = _steps(length, options)
    _replace_pipelines(cfg, lambda steps: _flow_pipeline(steps, compute, stack))
    _to_flow(cfg['model'], channels)


def set_two_streams(cfg: dict, length: int | None = None, **options: Any) -> None:
    """Add a flow stream to a network, and fuse the scores of both.

    Args:
        cfg (dict): As for :func:`set_flow`.
        length (int, optional): Likewise.
        **options: Likewise.
    """
    compute, stack, channels = _steps(length, dict(options, keep_rgb=True))
    _replace_pipelines(cfg, lambda steps: _two_pipelines(steps, compute, stack))
    rgb = copy.deepcopy(cfg['model'])
    flow = copy.deepcopy(rgb)
    _to_flow(flow, channels)
    # Which stream normalises what.
    preprocessors = {
        name: stream.pop('data_preprocessor')
        for name, stream in (('rgb', rgb), ('flow', flow))
    }
    cfg['model'] = dict(
        type='LateFusion',
        streams=[dict(rgb, inputs='rgb'), dict(flow, inputs='flow')],
        data_preprocessor=dict(
            type='MultiModalDataPreprocessor', preprocessors=preprocessors
        ),
    )


def flow_steps(node: Any) -> Iterator[dict]:
    """Find optical flow in a config.

    Args:
        node (Any): Any part of a config.

    Yields:
        dict: Each `ComputeFlow` of its pipelines.
    """
    if isinstance(node, dict):
        if node.get('type') == 'ComputeFlow':
            yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for each in node:
            yield from flow_steps(each)


def _steps(length: int | None, options: dict) -> tuple[dict, list[dict], int]:
    """ComputeFlow; what follows in front of FormatShape; the number of channels."""
    stride, twice = options.pop('stride', 1), options.pop('twice', None)
    if callable(options.get('method')):
        options['method'] = _dotted(options['method'])
    compute, stack = dict(type='ComputeFlow', **options), []
    flows = 2 if twice == 'components' else 1  # at a time
    if twice:
        method = options.get('method', 'tvl1')
        stack.append(dict(type='ComputeFlowOfFlow', of=twice, method=method))
    length = (length or 1) * flows
    if length > 1:
        stack.append(dict(type='StackFlow', length=length, stride=stride * flows))
    return compute, stack, 2 * length


def _dotted(method: Callable) -> str:
    """The name of a function; a config is written to a file, and read again."""
    name = f'{method.__module__}.{getattr(method, "__qualname__", "<object>")}'
    if '<' in name:
        raise InputError(
            f'method is {name}, which a config cannot name: write a function in a '
            "module, and give its path, 'package.module.function'"
        )
    return name


def _replace_pipelines(cfg: dict, change: Callable[[list], list]) -> None:
    for part in ('train', 'val', 'test'):
        if cfg.get(f'{part}_pipeline'):
            cfg[f'{part}_pipeline'] = change(cfg[f'{part}_pipeline'])
        loader = cfg.get(f'{part}_dataloader') or {}
        for dataset in datasets_of(loader.get('dataset')):
            dataset['pipeline'] = change(dataset['pipeline'])


def datasets_of(node: Any) -> Iterator[dict]:
    """Find the datasets of a loader, also inside MMEngine's wrappers.

    Args:
        node (Any): The loader's `dataset`, or a list of them.

    Yields:
        dict: Each dataset with a pipeline.
    """
    for dataset in node if isinstance(node, list | tuple) else [node]:
        if dataset and 'pipeline' in dataset:
            yield dataset
        elif dataset:
            yield from datasets_of(dataset.get('dataset') or dataset.get('datasets'))


def _flow_pipeline(steps: list[dict], compute: dict, stack: list[dict]) -> list[dict]:
    if any(step['type'] == 'ComputeFlow' for step in steps):
        return steps  # one list in two places
    kinds = [_INSTEAD.get(step['type'], step['type']) for step in steps]
    if 'VideoDecode' not in kinds:
        raise InputError(
            'flow is computed in place of VideoDecode or DecordDecode, but the '
            f'pipeline has neither: {kinds}'
        )
    for kind in kinds:
        if kind in _OF_COLOURS:
            raise InputError(
                f'{kind} of the pipeline is for pictures, not for flow: remove it'
            )
    changed: list[dict] = []
    for step in copy.deepcopy(steps):
        if step['type'] in ('VideoDecode', 'DecordDecode'):
            step = compute  # it decodes what it needs
        elif step['type'] == 'DecordInit':
            if (where := step.get('io_backend', 'disk')) != 'disk':
                raise InputError(
                    f'DecordInit reads by io_backend={where!r}, but the decoder of '
                    'a flow stream, VideoInit, reads a path or URL: use VideoInit'
                )
            step = dict(type='VideoInit')
        elif step['type'] == 'FormatShape':
            changed += stack
        step['type'] = _INSTEAD.get(step['type'], step['type'])
        changed.append(step)
    return copy.deepcopy(changed)


def _two_pipelines(steps: list[dict], compute: dict, stack: list[dict]) -> list[dict]:
    if any(step['type'] == 'ComputeFlow' for step in steps):
        return steps
    changed: list[dict] = []
    for step in _flow_pipeline(steps, compute, stack):
        if step['type'] == 'ComputeFlow':
            changed.append(dict(type='VideoDecode'))
        elif step['type'] == 'FormatShape':
            form = step['input_format']
            step = dict(type='FormatStreams', rgb=form, flow=form)
        elif step['type'] == 'PackActionInputs':
            step['collect_keys'] = ('rgb', 'flow')
        changed.append(step)
    return changed


def _to_flow(model: dict, channels: int) -> None:
    # Stages frozen with weights for RGB would not see the motion.
    backbone = model['backbone']
    while 'backbone' in backbone:  # of FlowAugmented
        backbone = backbone['backbone']
    backbone.update(in_channels=channels, frozen_stages=-1)
    # Of all channels; 128 is no motion.
    model['data_preprocessor'].update(mean=[128], std=[128])
