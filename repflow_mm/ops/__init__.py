"""The numerics: pure functions on tensors. Needs only torch."""

from repflow_mm.ops.tvl1 import (
    backends,
    divergence,
    dual_step,
    forward_gradient,
    image_gradient,
    representation_flow,
    sobel_kernels,
    threshold_step,
)

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
