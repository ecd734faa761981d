"""Models, backbones and necks, registered in MMAction2's `MODELS`."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2
from repflow_mm.models import agreement  # wraps the recognizers' constructor
from repflow_mm.models.action_flow_net import ActionFlowNet
from repflow_mm.models.flow_augmented import FlowAugmented
from repflow_mm.models.flow_target import FlowTarget
from repflow_mm.models.late_fusion import LateFusion
from repflow_mm.models.legacy_resnet import LegacyRepFlowResNet50
from repflow_mm.models.necks import FcF, RepFlow
from repflow_mm.models.repflow_resnet import RepFlowResNet
from repflow_mm.models.repflow_resnet3d import RepFlowResNet2Plus1d, RepFlowResNet3d

__all__ = [
    'ActionFlowNet',
    'FcF',
    'FlowAugmented',
    'FlowTarget',
    'LateFusion',
    'LegacyRepFlowResNet50',
    'RepFlow',
    'RepFlowResNet',
    'RepFlowResNet2Plus1d',
    'RepFlowResNet3d',
    'agreement',
]
