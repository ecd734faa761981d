"""What surrounds a run: hooks and safe checkpoint loading."""

from repflow_mm.engine.checkpoint import load_checkpoint
from repflow_mm.engine.hooks import CheckLabelsHook, CheckWeightsHook

__all__ = ['CheckLabelsHook', 'CheckWeightsHook', 'load_checkpoint']
