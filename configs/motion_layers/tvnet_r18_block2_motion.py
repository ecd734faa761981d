# TVNet in the place of the demo's RepFlow, with as many parameters.
_base_ = '../_base_/r18_motion.py'

model = dict(backbone=dict(flow=dict(type='TVNet', budget='equal')))
