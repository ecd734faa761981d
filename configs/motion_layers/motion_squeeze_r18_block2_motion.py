# MotionSqueeze in the place of the demo's RepFlow, with as many parameters.
_base_ = '../_base_/r18_motion.py'

# Its authors use less than 7 on small maps. On this one, 14x14, 7 is all of it.
model = dict(backbone=dict(flow=dict(type='MotionSqueeze', budget='equal', radius=3)))
