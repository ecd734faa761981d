# HMDB51 is 56 batches of 64: a momentum of 1e-4 would keep the initial weights around.
_base_ = 'sgd_cosine.py'
from repflow_mm.config import set_variables

set_variables(_base_, ema_momentum=1e-3)
