"""`cross_validate`: two configs on two splits, interrupted, continued; mistakes."""

import json
import shutil

import pytest

from repflow_mm.errors import InputError

CONFIG = """_base_ = 'repflow_mm::{base}.py'
split = 'a'
splits = ['a', 'b']
data_variables = dict(split=split)
root = {root!r}
lists = root + '/motion_{{}}_split_a_list.txt'
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file=lists.format('train'), data_prefix=dict(video=root + '/videos_train')
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=lists.format('val'), data_prefix=dict(video=root + '/videos_val')
    )
)
test_dataloader = val_dataloader
max_epochs = 1
"""


@pytest.fixture
def configs(motion_set, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(motion_set, root)
    for part in ('train', 'val'):
        for split in 'ab':
            lines = (root / f'motion_{part}_list_videos.txt').read_text().splitlines()
            kept = lines[:8] if split == 'a' else lines[-4:]
            text = '\n'.join(kept) + '\n'
            (root / f'motion_{part}_split_{split}_list.txt').write_text(text)
    paths = []
    for name, base in (
        ('rgb', 'rgb_r18_motion'),
        ('flow', 'repflow_r18_block2_motion'),
    ):
        path = tmp_path / f'{name}.py'
        path.write_text(CONFIG.format(base=base, root=str(root)))
        paths.append(path)
    return paths


@pytest.mark.slow
def test_all_splits_and_seeds_are_run_once(run_python, configs, tmp_path):
    args = ['tools/cross_validate.py', *configs, '--work-dir', tmp_path / 'cv']
    args += ['--cfg-options', 'crop_size=32', 'clip_len=4']
    first = run_python(*args, '--seeds', 0, threads=1)
    assert first.returncode == 0, first.stdout + first.stderr
    for name in ('rgb', 'flow'):
        for split in 'ab':
            assert f'{name}, split {split}, seed 0: top-1' in first.stdout
    # A part of the runs is there already, and only the rest is run.
    rows = (tmp_path / 'cv' / 'results.csv').read_text().splitlines()
    assert len([row for row in rows if 'acc/top1' in row and 'raw' not in row]) == 4
    clips = {tuple(row.split(',')[1:4]) for row in rows[1:]}
    assert clips == {('a', '0', '8'), ('b', '0', '4')}
    assert not list((tmp_path / 'cv').rglob('*.pth'))
    again = run_python(*args, '--seeds', 0, threads=1)
    assert again.returncode == 0 and 'split a, seed 0: top-1' not in again.stdout
    assert again.stdout.splitlines()[-2:] == first.stdout.splitlines()[-2:]
    assert '1 of 1' in again.stdout
    # Other lists of the same length.
    path = tmp_path / 'data' / 'motion_train_split_b_list.txt'
    path.write_text(''.join(reversed(path.read_text().splitlines(keepends=True))))
    changed = run_python(*args, '--seeds', 0, 1, threads=1)
    assert changed.returncode == 2 and 'Traceback' not in changed.stderr
    line = changed.stderr.splitlines()[-1]
    assert 'the lists have changed since rgb, split b, seed 0' in line


@pytest.mark.slow
def test_mistakes_end_in_one_line(run_python, configs, tmp_path):
    def error(*args) -> str:
        result = run_python(
            *('tools/cross_validate.py', configs[0], *args),
            *('--work-dir', tmp_path / 'x'),
            threads=1,
        )
        assert result.returncode == 2 and 'Traceback' not in result.stderr
        return result.stderr.splitlines()[-1]

    assert 'two configs are named rgb' in error(configs[0])
    assert '--splits b' in error('--cfg-options', 'split=b')
    line = error('--splits', 'c')
    assert 'rgb, split c, seed 0: ' in line and 'motion_train_split_c_list.txt' in line
    assert 'there is no config' in error('nowhere.py')
    # Before the first split is trained.
    (tmp_path / 'data' / 'motion_val_split_b_list.txt').unlink()
    assert 'rgb, split b, seed 0: no annotation list at' in error()
    assert not (tmp_path / 'x').exists()


def test_lists_that_have_changed_in_between(plugin, tmp_path):
    from repflow_mm.commands.cross_validate import _check_clips
    from repflow_mm.study.run import Run
    from repflow_mm.study.table import Arm

    arms = []
    for name, clips in (('rgb_r18_motion', 20), ('repflow_r18_block2_motion', 5)):
        run = Run(name, {}, None, 0, tmp_path)
        run.folder.mkdir(parents=True)
        result = dict(metrics={}, clips=clips, seconds=1)
        (run.folder / 'result.json').write_text(json.dumps(result))
        arms.append(Arm([run]))
    _check_clips(arms[:1])
    with pytest.raises(InputError, match='was tested on 20 videos, .* on 5: the lists'):
        _check_clips(arms)
