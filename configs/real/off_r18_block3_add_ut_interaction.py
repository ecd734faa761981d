_base_ = '../_base_/r18_ut_interaction.py'

flow = dict(type='OFF', budget='equal', fusion='add', temporal='same')
model = dict(backbone=dict(flow=flow))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$UT_INTERACTION_SPLIT:set1_to_set2}}'  # noqa: E501
