# rgb_r18_weizmann.py and flow_r18_weizmann.py, trained side by side.
_base_ = 'rgb_r18_weizmann.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, length=5, size=(112, 112), cache='data/weizmann/flow')
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$WEIZMANN_SPLIT:daria}}'
