# rgb_r18_motion.py and flow_r18_motion.py, trained side by side.
_base_ = '../rgb_r18_motion.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, length=5, bound=8, cache='data/motion/flow')
