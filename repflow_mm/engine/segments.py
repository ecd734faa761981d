"""Networks that run frame by frame, and the clips that a pipeline samples for them."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from repflow_mm.config.flow_stream import datasets_of
from repflow_mm.errors import InputError
from repflow_mm.layers import MotionLayer

_CROPS = {'ThreeCrop': 3, 'TenCrop': 10}


def check_segments(cfg: Mapping, parts: Sequence[str]) -> None:
    """Check that motion layers get whole clips.

    A layer that sees frames in a batch is told by `num_segments` how many belong to one
    clip. If the pipeline samples others, it computes flow from one clip to the next.

    Args:
        cfg (Mapping): A complete config.
        parts (Sequence[str]): Which loaders to check: `'train'`, `'val'`, `'test'`.

    Raises:
        InputError: If the frames of a sampled clip are no multiple of `num_segments`.
    """
    for where, segments, flow in _segments(cfg.get('model') or {}, 'model'):
        for part, sampled in _samples(cfg, parts, flow):
            if sampled.frames % segments:
                raise InputError(
                    f'{where} is {segments}, but {part}_dataloader samples clips '
                    f'of {sampled.frames} frames: set it to the number of frames per '
                    'clip'
                )


def check_views(
    model: nn.Module, cfg: Mapping, parts: Sequence[str], clips: bool = True
) -> None:
    """Check that a neck can tell the views of a sample apart.

    A `Recognizer2D` passes all of them to its neck as one sequence of frames.

    Args:
        model (nn.Module): The model, once its neck knows what its head and backbone do.
        cfg (Mapping): Its config.
        parts (Sequence[str]): As for :func:`check_segments`.
        clips (bool): Whether several clips are sampled as the config says. Defaults to
            True.

    Raises:
        InputError: If a sample has several views and `num_segments` is not known.
    """
    streams = getattr(model, 'streams', None)
    inputs = getattr(model, 'inputs', [None])
    for n, (stream, name) in enumerate(zip(streams or [model], inputs, strict=True)):
        neck = getattr(stream, 'neck', None)
        if not isinstance(neck, MotionLayer) or type(stream).__name__ != 'Recognizer2D':
            continue
        if getattr(neck, 'num_segments', None) is not None:
            continue
        where = f'model.streams.{n}.neck' if streams else 'model.neck'
        for part, sampled in _samples(cfg, parts, name == 'flow'):
            views = sampled.crops * (sampled.clips if clips else 1)
            if views > 1:
                raise InputError(
                    f'{part}_dataloader samples {views} views of {sampled.frames} '
                    f'frames, and {where}.num_segments is not set, so that flow would '
                    'be computed from one view to the next: set it to '
                    f'{sampled.frames}'
                )


@dataclass(frozen=True)
class _Sampled:
    """What a 2D network gets of a sample: views of some frames."""

    frames: int
    clips: int
    crops: int


def _samples(
    cfg: Mapping, parts: Sequence[str], flow: bool
) -> Iterator[tuple[str, _Sampled]]:
    """What each dataset samples, if its pipeline says so."""
    for part in parts:
        loader = cfg.get(f'{part}_dataloader') or {}
        for dataset in datasets_of(loader.get('dataset')):
            if sampled := _sampled(dataset, flow):
                yield part, sampled


def _sampled(dataset: Mapping, flow: bool) -> _Sampled | None:
    flow |= dataset.get('modality') == 'Flow'
    frames, clips, crops = 0, 1, 1
    for step in dataset['pipeline']:
        kind = _kind(step)
        if kind.endswith('SampleFrames') or kind == 'UniformSample':
            frames, clips = step.get('clip_len', 1), step.get('num_clips', 1)
            if kind == 'DenseSampleFrames' and step.get('test_mode'):
                crops *= step.get('num_sample_positions', 10)
            elif step.get('test_mode') and step.get('twice_sample'):
                crops *= 2
        flow |= kind == 'ComputeFlow' and not step.get('keep_rgb')
        crops *= _CROPS.get(kind, 1)
    if not frames:
        return None
    if flow or frames == 1:  # a clip of flows is one frame of many channels
        return _Sampled(clips, 1, crops)
    return _Sampled(frames, clips, crops)


def _segments(model: Mapping, where: str) -> Iterator[tuple[str, int, bool]]:
    """`num_segments` of what computes flow in the recognizers of a model.

    And whether the recognizer is a stream for optical flow.
    """
    for n, stream in enumerate(model.get('streams') or ()):
        yield from _segments(stream, f'{where}.streams.{n}')
    if _kind(model) != 'Recognizer2D':
        return
    backbone, head = model.get('backbone') or {}, model.get('cls_head') or {}
    told = [(f'{where}.neck', model.get('neck') or {})]
    if _kind(backbone) == 'FlowAugmented':
        inner = backbone.get('backbone') or {}
        told += [
            (f'{where}.backbone', backbone),
            (f'{where}.backbone.backbone', inner),
            (f'{where}.cls_head', head),
        ]
    for name, part in told:
        if isinstance(part, Mapping) and isinstance(part.get('num_segments'), int):
            flow = model.get('inputs') == 'flow'
            yield f'{name}.num_segments', part['num_segments'], flow


def _kind(part: Any) -> str:
    kind = part.get('type') if isinstance(part, Mapping) else None
    return kind.__name__ if inspect.isclass(kind) else str(kind).rpartition('.')[2]
