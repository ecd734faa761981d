# rgb_r18_ut_interaction.py and flow_r18_ut_interaction.py, trained side by side.
_base_ = 'rgb_r18_ut_interaction.py'
from repflow_mm.config import set_two_streams

set_two_streams(_base_, length=5, size=(112, 112), cache='data/ut_interaction/flow')
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$UT_INTERACTION_SPLIT:set1_to_set2}}'  # noqa: E501
