"""Pipelines of flow from one small clip."""

import numpy as np
from mmengine.dataset import Compose

from repflow_mm.datasets import ComputeFlow

INIT = dict(type='VideoInit')
DECODE = dict(type='VideoDecode')
BOUND = 4


def numbered(first, second):
    """A function of both pictures, to see which pair was given."""
    mean = [float(p[..., 0].mean()) for p in (first, second)]
    return np.broadcast_to(np.float32(mean) / 255 * BOUND, (*first.shape[:2], 2))


class Flow(ComputeFlow):
    """By Farneback's method, which is fast."""

    def __init__(self, **options):
        super().__init__(**dict(method='farneback', bound=BOUND) | options)


def sample(length=5, interval=2, clips=2, test=True):
    return dict(
        type='SampleFrames',
        clip_len=length,
        frame_interval=interval,
        num_clips=clips,
        out_of_bound_opt='repeat_last',
        test_mode=test,
    )


def run(clip, *steps):
    start = dict(filename=clip, start_index=0, modality='RGB', label=0)
    return Compose(list(steps))(start)
