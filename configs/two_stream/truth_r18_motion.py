# flow_r18_motion.py with the true motion: the upper bound of flow by any method.
_base_ = '../rgb_r18_motion.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=5, bound=8, method='truth')
