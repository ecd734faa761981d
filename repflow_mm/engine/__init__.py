"""What surrounds a run: hooks and safe checkpoint loading."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.engine.bad_videos_hook import BadVideosHook  # noqa: E402
from repflow_mm.engine.checkpoint import load_checkpoint  # noqa: E402  needs the mends
from repflow_mm.engine.hooks import CheckLabelsHook, CheckWeightsHook  # noqa: E402
from repflow_mm.engine.prediction_pictures import (  # noqa: E402
    PredictionPicturesHook,
)

__all__ = [
    'BadVideosHook',
    'CheckLabelsHook',
    'CheckWeightsHook',
    'PredictionPicturesHook',
    'load_checkpoint',
]
