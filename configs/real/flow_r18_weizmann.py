# TV-L1 between the frames that the flow layer gets, in three stacks of 5, without RGB.
_base_ = 'rgb_r18_weizmann.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=5, size=(112, 112), cache='data/weizmann/flow')
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$WEIZMANN_SPLIT:daria}}'
