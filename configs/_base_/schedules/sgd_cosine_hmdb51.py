# HMDB51 is 56 batches of 64: a running average of 1e-4 a step would remember the start.
_base_ = 'sgd_cosine.py'

custom_hooks = [dict(type='EMAHook', momentum=1e-3, update_buffers=True)]
