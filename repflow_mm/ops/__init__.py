"""The numerics: pure functions on tensors. Importing them needs torch alone."""

from repflow_mm.ops.reference import (
    divergence,
    dual_step,
    forward_gradient,
    image_gradient,
    sobel_kernels,
    threshold_step,
)
from repflow_mm.ops.representation_flow import backends, representation_flow

__all__ = [
    'backends',
    'divergence',
    'dual_step',
    'forward_gradient',
    'image_gradient',
    'representation_flow',
    'sobel_kernels',
    'threshold_step',
]
