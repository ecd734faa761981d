"""Checkpoints: safe loading, checks that weights fit, and slim weights."""

from repflow_mm.checkpoint.load import load_checkpoint

__all__ = ['load_checkpoint']
