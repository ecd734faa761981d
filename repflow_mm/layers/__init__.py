"""`nn.Module`s around the ops, for any PyTorch model. They need torch alone."""

from repflow_mm.layers.flow_of_flow import FlowOfFlow
from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.representation_flow import RepresentationFlow, normalise_clip
from repflow_mm.layers.tvl1 import TVL1

__all__ = ['TVL1', 'FlowOfFlow', 'Fusion', 'RepresentationFlow', 'normalise_clip']
