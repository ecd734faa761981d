"""What surrounds a run: hooks and safe checkpoint loading."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.engine.checkpoint import load_checkpoint  # noqa: E402  needs the mends
from repflow_mm.engine.hooks import (  # noqa: E402
    CheckLabelsHook,
    CheckLossHook,
    CheckWeightsHook,
)
from repflow_mm.engine.prediction_pictures import (  # noqa: E402
    PredictionPicturesHook,
)

__all__ = [
    'CheckLabelsHook',
    'CheckLossHook',
    'CheckWeightsHook',
    'PredictionPicturesHook',
    'load_checkpoint',
]
