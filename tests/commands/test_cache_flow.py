"""`cache_flow`: fills what a config names, goes on where it was stopped, cleans."""

import shutil

import numpy as np
import pytest

from repflow_mm.commands import cache_flow

CONFIG = """_base_ = 'repflow_mm::rgb_r18_motion.py'
root = {root!r}
steps = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1),
    dict(type='VideoDecode'),
    dict(type='ComputeFlow', method='dis', cache=root + '/flow'),
]
train_dataloader = dict(
    dataset=dict(
        ann_file=root + '/motion_train_list_videos.txt',
        data_prefix=dict(video=root + '/videos_train'),
        pipeline=steps,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=root + '/motion_val_list_videos.txt',
        data_prefix=dict(video=root + '/videos_val'),
        pipeline=steps,
    ),
)
test_dataloader = val_dataloader
"""


@pytest.fixture
def root(plugin, motion_set, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(motion_set, root)
    for part in ('train', 'val'):
        path = root / f'motion_{part}_list_videos.txt'
        path.write_text('\n'.join(path.read_text().splitlines()[:3]) + '\n')
    (tmp_path / 'own.py').write_text(CONFIG.format(root=str(root)))
    return root


def run(root, *options) -> None:
    cache_flow.main([str(root.parent / 'own.py'), '--workers', '1', *options])


def test_it_fills_continues_and_cleans(root, capsys):
    run(root)
    files = {path: path.stat().st_mtime_ns for path in (root / 'flow').iterdir()}
    assert len(files) == 6  # the test's videos are the validation's
    flow = np.load(next(iter(files)), mmap_mode='r')
    assert flow.shape == (7, 64, 64, 2) and flow.dtype == np.uint8
    next(iter(files)).unlink()
    run(root)
    again = {path: path.stat().st_mtime_ns for path in (root / 'flow').iterdir()}
    assert again.keys() == files.keys()
    assert sum(again[path] != files[path] for path in files) == 1
    capsys.readouterr()
    run(root, '--clean')
    assert '6 files deleted' in capsys.readouterr().out
    assert list((root / 'flow').iterdir()) == []


def test_datasets_in_wrappers(root):
    (root.parent / 'inner.py').write_text((root.parent / 'own.py').read_text())
    (root.parent / 'own.py').write_text(
        "_base_ = 'inner.py'\n"
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', "
        'times=2, dataset=_base_.train_dataloader.dataset))\n'
    )
    run(root)
    assert len(list((root / 'flow').iterdir())) == 6


def test_mistakes(root, capsys):
    def error(*options) -> str:
        with pytest.raises(SystemExit) as stop:
            run(root, *options)
        assert stop.value.code == 2
        return capsys.readouterr().err

    none = 'train_dataloader.dataset.pipeline.3.cache=None'
    same = none.replace('train', 'val'), none.replace('train', 'test')
    assert 'caches no flow' in error('--cfg-options', none, *same)
    small = 'train_dataloader.dataset.pipeline.3.max_gb=1e-9'
    assert 'has reached max_gb=1e-09' in error('--cfg-options', small)
    listed = (root / 'motion_train_list_videos.txt').read_text().split()[0]
    (root / 'videos_train' / listed).write_bytes(b'no video')
    line = error()
    assert line.startswith('error: 1 of 6 videos could not be read')
    assert listed in line and line.count('\n') == 1
