"""Motion layers as `nn.Module`s, for any PyTorch model. They need only torch."""

from repflow_mm.layers.base import BottleneckMotion, MotionLayer
from repflow_mm.layers.flow_of_flow import FlowOfFlow
from repflow_mm.layers.fusion import Fusion
from repflow_mm.layers.mfnet import MotionFilter
from repflow_mm.layers.motion_squeeze import MotionSqueeze
from repflow_mm.layers.non_local import NonLocal
from repflow_mm.layers.off import OFF
from repflow_mm.layers.parameters import motion_prefixes, slow_parameters
from repflow_mm.layers.pixel_flow import PixelFlow
from repflow_mm.layers.registry import build_layer, register_layer
from repflow_mm.layers.representation_flow import RepresentationFlow
from repflow_mm.layers.shift import Shift
from repflow_mm.layers.splice import add_motion
from repflow_mm.layers.tap import FlowTap, motion_layers
from repflow_mm.layers.tdm import TDM
from repflow_mm.layers.temporal_difference import TemporalDifference
from repflow_mm.layers.tvl1 import TVL1
from repflow_mm.layers.tvnet import TVNet

__all__ = [
    'OFF',
    'TDM',
    'TVL1',
    'TVNet',
    'BottleneckMotion',
    'FlowOfFlow',
    'FlowTap',
    'Fusion',
    'MotionFilter',
    'MotionLayer',
    'MotionSqueeze',
    'PixelFlow',
    'NonLocal',
    'RepresentationFlow',
    'Shift',
    'TemporalDifference',
    'add_motion',
    'build_layer',
    'motion_layers',
    'motion_prefixes',
    'register_layer',
    'slow_parameters',
]
