# Classes that differ only in acceleration; a single flow layer sees two frames.
# python tools/make_motion_set.py data/acceleration --kind acceleration \
#     --train-clips 120 --val-clips 60
_base_ = 'repflow_r18_block2_motion.py'
from repflow_mm.config import set_variables

set_variables(_base_, kind='acceleration', clip_len=10, max_epochs=6)
