# MotionSqueeze in the place of the demo's RepFlow, with as many parameters.
_base_ = '../_base_/r18_motion.py'

# The authors' smaller window, for maps of 14x14 and below: 7 would be all of the map.
model = dict(backbone=dict(flow=dict(type='MotionSqueeze', budget='equal', radius=3)))
