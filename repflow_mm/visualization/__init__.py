"""Pictures of motion."""

from repflow_mm.visualization.flow_clip import FlowClip
from repflow_mm.visualization.flow_colour import colour_wheel, flow_to_rgb

__all__ = ['FlowClip', 'colour_wheel', 'flow_to_rgb']
