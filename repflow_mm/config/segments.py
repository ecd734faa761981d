"""Networks that run frame by frame, and the clips that a pipeline samples for them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from repflow_mm.config.flow_stream import datasets_of
from repflow_mm.errors import InputError


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
    for where, segments in _segments(cfg.get('model') or {}, 'model'):
        for part in parts:
            loader = cfg.get(f'{part}_dataloader') or {}
            for dataset in datasets_of(loader.get('dataset')):
                frames = _sampled(dataset['pipeline'])
                if frames and frames % segments:
                    raise InputError(
                        f'{where} is {segments}, but {part}_dataloader samples clips '
                        f'of {frames} frames: set it to the number of frames per clip'
                    )


def _segments(model: Mapping, where: str) -> Iterator[tuple[str, int]]:
    """`num_segments` of what computes flow in the recognizers of a model."""
    for n, stream in enumerate(model.get('streams') or ()):
        yield from _segments(stream, f'{where}.streams.{n}')
    if str(model.get('type')).rpartition('.')[2] != 'Recognizer2D':
        return
    backbone, head = model.get('backbone') or {}, model.get('cls_head') or {}
    told = [(f'{where}.neck', model.get('neck') or {})]
    if str(backbone.get('type')).rpartition('.')[2] == 'FlowAugmented':
        inner = backbone.get('backbone') or {}
        told += [
            (f'{where}.backbone', backbone),
            (f'{where}.backbone.backbone', inner),
            (f'{where}.cls_head', head),
        ]
    for name, part in told:
        if isinstance(part, Mapping) and isinstance(part.get('num_segments'), int):
            yield f'{name}.num_segments', part['num_segments']


def _sampled(pipeline: Any) -> int | None:
    """Frames of a clip, if the pipeline says so."""
    for step in pipeline:
        kind = str(step.get('type')).rpartition('.')[2]
        if kind.endswith('SampleFrames') or kind == 'UniformSample':
            length = step.get('clip_len', 1)
            return length if length > 1 else step.get('num_clips', 1)
    return None
