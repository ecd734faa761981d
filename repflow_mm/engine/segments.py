"""Networks that run frame by frame, and the clips that a pipeline samples for them."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmaction.registry import MODELS

from repflow_mm.config.flow_stream import datasets_of
from repflow_mm.errors import InputError
from repflow_mm.layers.registry import layer_names

_CROPS = {'ThreeCrop': 3, 'TenCrop': 10}


def check_segments(cfg: Mapping, parts: Sequence[str]) -> None:
    """Check that motion layers get whole clips.

    A layer that sees frames in a batch is told by `num_segments` how many belong to one
    clip. If the pipeline samples others, it computes flow from one clip to the next.

    Args:
        cfg (Mapping): A complete config.
        parts (Sequence[str]): Which loaders to check: `'train'`, `'val'`, `'test'`.

    Raises:
        InputError: If the frames of a sampled clip are no multiple of `num_segments`,
            or if a sample has several clips or crops and nothing tells them apart.
    """
    for where, segments in _segments(cfg.get('model') or {}, 'model'):
        for part in parts:
            loader = cfg.get(f'{part}_dataloader') or {}
            for dataset in datasets_of(loader.get('dataset')):
                if (sampled := _sampled(dataset)) is None:
                    continue
                frames, views = sampled
                if segments is None and views > 1:
                    raise InputError(
                        f'{part}_dataloader samples {views} views of {frames} frames, '
                        f'and {where} is not set, so that flow would be computed from '
                        f'one view to the next: set it to {frames}'
                    )
                if segments and frames % segments:
                    raise InputError(
                        f'{where} is {segments}, but {part}_dataloader samples clips '
                        f'of {frames} frames: set it to the number of frames per clip'
                    )


def _segments(model: Mapping, where: str) -> Iterator[tuple[str, int | None]]:
    """`num_segments` of what computes flow in the recognizers of a model."""
    for n, stream in enumerate(model.get('streams') or ()):
        yield from _segments(stream, f'{where}.streams.{n}')
    if _kind(model) != 'Recognizer2D':
        return
    backbone, head = model.get('backbone') or {}, model.get('cls_head') or {}
    neck = model.get('neck') or {}
    told = [(f'{where}.neck', neck)]
    if _kind(backbone) == 'FlowAugmented':
        inner = backbone.get('backbone') or {}
        told += [
            (f'{where}.backbone', backbone),
            (f'{where}.backbone.backbone', inner),
            (f'{where}.cls_head', head),
        ]
    for name, part in told:
        if isinstance(part, Mapping) and isinstance(part.get('num_segments'), int):
            yield f'{name}.num_segments', part['num_segments']
    # A neck asks the head and the backbone.
    asked = (neck, head, backbone)
    if _kind(neck) in layer_names() and not any(map(_counts, asked)):
        yield f'{where}.neck.num_segments', None


def _kind(part: Any) -> str:
    kind = part.get('type') if isinstance(part, Mapping) else None
    return str(kind).rpartition('.')[2]


def _counts(part: Any) -> bool:
    """Whether a part of a network is told the frames of a clip, or has a default."""
    if not isinstance(part, Mapping) or part.get('num_segments'):
        return bool(part)
    kind = part.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    known = inspect.signature(kind).parameters if inspect.isclass(kind) else {}
    return bool('num_segments' in known and known['num_segments'].default)


def _sampled(dataset: Mapping) -> tuple[int, int] | None:
    """Frames of a view and views of a sample, if the pipeline says so."""
    flow, clips, crops, length = dataset.get('modality') == 'Flow', 1, 1, None
    for step in dataset['pipeline']:
        kind = _kind(step)
        if kind.endswith('SampleFrames') or kind == 'UniformSample':
            length, clips = step.get('clip_len', 1), step.get('num_clips', 1)
            crops *= 2 if step.get('twice_sample') else 1
            if kind == 'DenseSampleFrames' and step.get('test_mode'):
                crops *= step.get('num_sample_positions', 10)
        flow |= kind == 'ComputeFlow' and not step.get('keep_rgb')
        crops *= _CROPS.get(kind, 1)
    if length is None:
        return None
    # A clip of flows is one frame of many channels.
    return (clips, crops) if flow or length == 1 else (length, clips * crops)
