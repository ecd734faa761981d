# HMDB51, 16 frames of 224x224 (Table 8).
_base_ = 'hmdb51.py'
from repflow_mm.config import set_variables

set_variables(_base_, clip_len=16)
