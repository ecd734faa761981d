"""Two streams by the tools: trained apart, tested together, fused by their scores."""

import pytest

from repflow_mm.commands import fuse_scores, test, train
from repflow_mm.study.score_fusion import read_scores

CONFIG = """_base_ = 'repflow_mm::{base}.py'
root = {root!r}
workers = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    batch_size=4,
    **workers,
    dataset=dict(
        ann_file=root + '/motion_train_list_videos.txt',
        data_prefix=dict(video=root + '/videos_train'),
    ),
)
val_dataloader = dict(
    **workers,
    dataset=dict(
        ann_file=root + '/motion_val_list_videos.txt',
        data_prefix=dict(video=root + '/videos_val'),
    )
)
test_dataloader = val_dataloader
default_hooks = dict(raw_accuracy=None)
train_cfg = dict(val_begin=2)
max_epochs = 1
crop_size = 32
"""


@pytest.mark.slow
def test_two_networks_and_their_fusion(
    plugin, motion_set, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name, base in (
        ('rgb', 'rgb_r18_motion'),
        ('flow', 'two_stream/flow_r18_motion'),
        ('both', 'two_stream/two_stream_r18_motion'),
    ):
        text = CONFIG.format(base=base, root=str(motion_set))
        (tmp_path / f'{name}.py').write_text(text)
    checkpoints = [f'work_dirs/{name}/epoch_1.pth' for name in ('rgb', 'flow')]
    for name, checkpoint in zip(('rgb', 'flow'), checkpoints, strict=True):
        train.main([f'{name}.py', '--seed', '0'])
        test.main([f'{name}.py', checkpoint, '--dump', f'{name}.pkl'])
    assert len(list((tmp_path / 'data/motion/flow').glob('*.npy'))) == 30
    fuse_scores.main(['rgb.pkl', 'flow.pkl', '--out', 'f.pkl'])
    assert '10 clips' in capsys.readouterr().out
    test.main(['both.py', *checkpoints, '--dump', 'both.pkl'])
    apart, together = (read_scores(tmp_path / n) for n in ('f.pkl', 'both.pkl'))
    assert apart.names == together.names
    # Both average the probabilities of the same two networks on the same clips.
    assert abs(apart.scores - together.scores).max() < 1e-5
