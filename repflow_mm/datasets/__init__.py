"""Datasets and transforms, registered with MMAction2 by `repflow_mm.plugin`."""

from repflow_mm.datasets.checked_video_dataset import CheckedVideoDataset
from repflow_mm.datasets.compute_flow import ComputeFlow
from repflow_mm.datasets.flow_transforms import (
    ComputeFlowOfFlow,
    FlowResize,
    FormatStreams,
    StackFlow,
)
from repflow_mm.datasets.video_transforms import VideoDecode, VideoInit

__all__ = [
    'CheckedVideoDataset',
    'ComputeFlow',
    'ComputeFlowOfFlow',
    'FlowResize',
    'FormatStreams',
    'StackFlow',
    'VideoDecode',
    'VideoInit',
]
