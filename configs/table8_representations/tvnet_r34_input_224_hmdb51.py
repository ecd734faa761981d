# Table 8, "TVNet" on HMDB51: of pixels, with the iterations of its release.
_base_ = '../_base_/r34_224_hmdb51.py'

model = dict(
    backbone=dict(after='input', flow=dict(type='TVNet', grey=True, n_iters=50))
)
work_dir = './work_dirs/{{fileBasenameNoExtension}}_split{{$HMDB51_SPLIT:1}}'
