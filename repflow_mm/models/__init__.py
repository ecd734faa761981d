"""What is registered in MMAction2's `MODELS`."""

from repflow_mm.compat import mend_all

mend_all()

from repflow_mm.models.repflow_neck import RepFlow  # noqa: E402  needs the mends
from repflow_mm.models.repflow_resnet import RepFlowResNet  # noqa: E402

__all__ = ['RepFlow', 'RepFlowResNet']
