"""TV-L1 on feature maps: the reference, and kernels that are held to it."""

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
