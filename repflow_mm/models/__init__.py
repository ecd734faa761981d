"""What is registered in MMAction2's `MODELS`."""

from repflow_mm.models.repflow_neck import RepFlow
from repflow_mm.models.repflow_resnet import RepFlowResNet

__all__ = ['RepFlow', 'RepFlowResNet']
