# The demo's network as a flow stream: TV-L1 between the frames, in three stacks of 5.
_base_ = '../rgb_r18_motion.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=5, bound=8, cache='data/motion/flow')
