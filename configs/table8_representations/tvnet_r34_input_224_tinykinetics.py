# Table 8, "TVNet" on Tiny-Kinetics: of pixels, with the iterations of its release.
_base_ = '../_base_/r34_224_tinykinetics.py'

model = dict(
    backbone=dict(after='input', flow=dict(type='TVNet', grey=True, n_iters=50))
)
