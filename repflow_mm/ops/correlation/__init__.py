"""Matching of neighbouring feature maps by correlation."""

from repflow_mm.ops.correlation.matching import correlate, match, soft_argmax

__all__ = ['correlate', 'match', 'soft_argmax']
