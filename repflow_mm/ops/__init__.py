"""The numerics: pure functions on tensors. Needs only torch."""

from repflow_mm.ops.tvl1.reference import (
    divergence,
    dual_step,
    forward_gradient,
    image_gradient,
    sobel_kernels,
    threshold_step,
)
from repflow_mm.ops.tvl1.representation_flow import backends, representation_flow

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
