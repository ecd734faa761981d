"""Two streams by the tools: trained apart, tested together, fused by their scores."""

import pytest

from repflow_mm.study.score_fusion import read_scores

CONFIG = """_base_ = 'repflow_mm::{base}.py'
root = {root!r}
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file=root + '/motion_train_list_videos.txt',
        data_prefix=dict(video=root + '/videos_train'),
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=root + '/motion_val_list_videos.txt',
        data_prefix=dict(video=root + '/videos_val'),
    )
)
test_dataloader = val_dataloader
max_epochs = 1
crop_size = 32
"""


@pytest.mark.slow
def test_two_networks_and_their_fusion(run_python, motion_set, tmp_path):
    def run(*args) -> str:
        result = run_python(*args, cwd=tmp_path, threads=1)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    for name, base in (
        ('rgb', 'rgb_r18_motion'),
        ('flow', 'two_stream/flow_r18_motion'),
        ('both', 'two_stream/two_stream_r18_motion'),
    ):
        text = CONFIG.format(base=base, root=str(motion_set))
        (tmp_path / f'{name}.py').write_text(text)
    for name in ('rgb', 'flow'):
        run('-m', 'repflow_mm', 'train', f'{name}.py', '--seed', 0)
        checkpoint = f'work_dirs/{name}/epoch_1.pth'
        dump = '--dump', f'{name}.pkl'
        run('-m', 'repflow_mm', 'test', f'{name}.py', checkpoint, *dump)
    assert len(list((tmp_path / 'data/motion/flow').glob('*.npy'))) == 30
    out = run(
        '-m', 'repflow_mm', 'fuse_scores', 'rgb.pkl', 'flow.pkl', '--out', 'f.pkl'
    )
    assert '10 clips' in out
    checkpoints = [f'work_dirs/{name}/epoch_1.pth' for name in ('rgb', 'flow')]
    run('-m', 'repflow_mm', 'test', 'both.py', *checkpoints, '--dump', 'both.pkl')
    apart, together = (read_scores(tmp_path / n) for n in ('f.pkl', 'both.pkl'))
    assert apart.names == together.names
    # Both average the probabilities of the same two networks on the same clips.
    assert abs(apart.scores - together.scores).max() < 1e-5
