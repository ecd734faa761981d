"""Recognizers tell their motion layers what head and backbone expect.

Only a recognizer knows its neck, backbone and head, so this module wraps the
constructor of MMAction2's on import. What a config leaves out is filled in, and
contradictions are refused when the model is built, instead of failing on a shape later,
in the middle of a test.
"""

import functools
from collections.abc import Mapping
from typing import Any, TypeGuard

from mmaction.models.recognizers import BaseRecognizer, Recognizer2D
from mmaction.registry import MODELS
from torch import nn

from repflow_mm.errors import InputError
from repflow_mm.models.flow_augmented import FlowAugmented
from repflow_mm.models.necks import MotionNeck


def _install() -> None:
    build = BaseRecognizer.__init__
    if build.__module__ == __name__:
        return

    @functools.wraps(build)
    def __init__(
        self: Any,
        backbone: Any,
        cls_head: Any = None,
        neck: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        head = cls_head if isinstance(cls_head, Mapping) else {}
        if _is_neck(neck) and 'in_channels' in head:
            neck = {'in_channels': head['in_channels'], **neck}
        if _is_splice(backbone) and 'num_segments' in head:
            backbone = _counted(backbone, head['num_segments'])
        build(self, backbone, cls_head, neck, *args, **kwargs)
        _check(self)
        if hasattr(self.backbone, 'frozen_stages'):
            self.backbone.train()  # freezes them before DDP asks what learns

    __init__.__module__ = __name__
    BaseRecognizer.__init__ = __init__


def _is_neck(cfg: Any) -> bool:
    kind = cfg.get('type') if isinstance(cfg, Mapping) else None
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(found, type) and issubclass(found, MotionNeck)


def _is_splice(cfg: Any) -> TypeGuard[Mapping]:
    kind = cfg.get('type') if isinstance(cfg, Mapping) else None
    return (MODELS.get(kind) if isinstance(kind, str) else kind) is FlowAugmented


def _counted(backbone: Mapping, segments: int) -> dict:
    """A splice's config with the head's `num_segments`, unless it has its own."""
    inner: Any = backbone.get('backbone')
    if _is_splice(inner):
        inner = _counted(inner, segments)
    elif not isinstance(inner, Mapping) or 'num_segments' in inner:
        return {**backbone}
    return {'num_segments': segments, **backbone, 'backbone': inner}


def _check(recognizer: nn.Module) -> None:
    """Raise `InputError` if the layers contradict the head or backbone."""
    neck: Any = getattr(recognizer, 'neck', None)
    head = getattr(recognizer, 'cls_head', None)
    per_frame = isinstance(recognizer, Recognizer2D)
    if isinstance(neck, MotionNeck):
        channels = getattr(head, 'in_channels', None)
        if channels is not None and channels != neck.in_channels:
            raise InputError(
                f'{type(neck).__name__} has in_channels={neck.in_channels} and '
                f'{type(head).__name__} has {channels}: remove in_channels from the '
                "neck, or correct the head's"
            )
    if per_frame and hasattr(neck, 'agree_with'):
        neck.agree_with(recognizer)
    counted = getattr(head, 'num_segments', None)
    for place in getattr(recognizer.backbone, '_motion_places', ()):
        if per_frame and counted and place.frames not in (None, counted):
            raise InputError(
                f'FlowAugmented (or its backbone) has num_segments={place.frames} and '
                f'{type(head).__name__} has {counted}: set both to the frames of a clip'
            )


_install()
