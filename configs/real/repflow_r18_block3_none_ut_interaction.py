_base_ = '../_base_/r18_ut_interaction.py'

model = dict(backbone=dict(flow=dict(n_iters=20, fusion='none')))
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$UT_INTERACTION_SPLIT:set1_to_set2}}'  # noqa: E501
