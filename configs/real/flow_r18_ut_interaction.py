# TV-L1 between the frames that the flow layer gets, in three stacks of 5, without RGB.
_base_ = 'rgb_r18_ut_interaction.py'
from repflow_mm.config import set_flow

set_flow(_base_, length=5, size=(112, 112), cache='data/ut_interaction/flow')
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$UT_INTERACTION_SPLIT:set1_to_set2}}'  # noqa: E501
