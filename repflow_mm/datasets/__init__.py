"""Datasets and transforms, registered with MMAction2 by `repflow_mm.plugin`.

`repflow_mm.datasets.synthetic` needs only numpy and OpenCV, so modules that need
MMAction2 are imported on first use.
"""

import importlib
from typing import Any

_MODULES = dict(
    ACCELERATION_CLASSES='synthetic',
    CLASSES='synthetic',
    CheckedVideoDataset='checked_video_dataset',
    ComputeFlow='compute_flow',
    ComputeFlowOfFlow='flow_transforms',
    FlowResize='flow_transforms',
    FormatStreams='flow_transforms',
    MotionSet='synthetic',
    StackFlow='flow_transforms',
    VideoDecode='video_transforms',
    VideoInit='video_transforms',
)

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_MODULES[name]}'), name)
