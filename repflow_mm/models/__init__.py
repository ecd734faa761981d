"""What is registered in MMAction2's `MODELS`."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.models.flow_augmented import FlowAugmented  # noqa: E402  needs them
from repflow_mm.models.late_fusion import LateFusion  # noqa: E402
from repflow_mm.models.legacy_resnet import LegacyRepFlowResNet50  # noqa: E402
from repflow_mm.models.necks import FcF, RepFlow  # noqa: E402
from repflow_mm.models.repflow_resnet import RepFlowResNet  # noqa: E402
from repflow_mm.models.repflow_resnet3d import (  # noqa: E402
    RepFlowResNet2Plus1d,
    RepFlowResNet3d,
)

__all__ = [
    'FcF',
    'FlowAugmented',
    'LateFusion',
    'LegacyRepFlowResNet50',
    'RepFlow',
    'RepFlowResNet',
    'RepFlowResNet2Plus1d',
    'RepFlowResNet3d',
]
