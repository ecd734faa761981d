"""What surrounds a run: hooks and safe checkpoint loading."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.engine.checkpoint import load_checkpoint  # noqa: E402  needs the mends
from repflow_mm.engine.hooks import CheckLabelsHook, CheckWeightsHook  # noqa: E402

__all__ = ['CheckLabelsHook', 'CheckWeightsHook', 'load_checkpoint']
