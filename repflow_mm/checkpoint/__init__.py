"""Checkpoints as data: reading them, whether weights fit, slim weights."""

from repflow_mm.checkpoint.load import load_checkpoint

__all__ = ['load_checkpoint']
