# Flow of the frames instead of features: the demo's network as a flow stream.
_base_ = '../_base_/r18_motion.py'

model = dict(backbone=dict(after='input', flow=dict(type='PixelFlow')))
