"""Samplers whose frames are too far apart to show motion."""

from collections.abc import Iterator
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from repflow_mm.engine.unwrap import unwrapped_datasets, unwrapped_model
from repflow_mm.layers import motion_layers


@HOOKS.register_module()
class CheckSamplingHook(Hook):
    """Before training, warn if a motion layer gets frames that are far apart.

    Segment-based sampling (TSN's, `clip_len=1, num_clips=8`) takes single frames from
    all over a video, as does a `frame_interval` of about a second.
    """

    def before_train(self, runner: Runner) -> None:
        """Warn once, and name the sampler to use instead."""
        if not motion_layers(unwrapped_model(runner)):
            return
        for transform in _transforms(runner.train_dataloader.dataset):
            said = _far_apart(transform)
            if said:
                runner.logger.warning(
                    'motion layers compare neighbouring frames, and '
                    f'{type(transform).__name__}({said}) takes frames that are too far '
                    'apart to see motion. Sample clips, for example with '
                    "dict(type='SampleFrames', clip_len=8, frame_interval=2, "
                    'num_clips=1), in the training, validation and test pipelines'
                )
                return


_SECOND = 24  # frames


def _far_apart(transform: object) -> str:
    """The arguments of a sampler of distant frames; empty if it is not one."""
    length, clips, interval = (
        getattr(transform, name, None)
        for name in ('clip_len', 'num_clips', 'frame_interval')
    )
    name = type(transform).__name__
    if name == 'SampleFrames' and length == 1 and (clips or 1) > 1:
        return f'clip_len=1, num_clips={clips}'
    if name == 'SampleFrames' and isinstance(interval, int) and interval >= _SECOND:
        return f'clip_len={length}, frame_interval={interval}'
    if name in ('UniformSample', 'UniformSampleFrames'):
        return f'clip_len={length}'
    return ''


def _transforms(dataset: Any) -> Iterator[object]:
    """The transforms of a dataset and of the datasets it wraps."""
    for part in unwrapped_datasets(dataset):
        yield from getattr(getattr(part, 'pipeline', None), 'transforms', ())
