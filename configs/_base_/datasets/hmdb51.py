# HMDB51 videos and lists in MMAction2's layout. Another of the three splits is selected
# by --cfg-options split=2, or by HMDB51_SPLIT=2 in the environment.
_base_ = 'kinetics400.py'

class_names = 'hmdb51'
split = '{{$HMDB51_SPLIT:1}}'
splits = ['1', '2', '3']
data_variables = dict(split=split)

data_prefix = dict(video='data/hmdb51/videos')
ann_file_val = f'data/hmdb51/hmdb51_val_split_{split}_videos.txt'

train_dataloader = dict(
    dataset=dict(
        ann_file=f'data/hmdb51/hmdb51_train_split_{split}_videos.txt',
        data_prefix=data_prefix,
    )
)
val_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=data_prefix))
test_dataloader = dict(dataset=dict(ann_file=ann_file_val, data_prefix=data_prefix))
