"""Small real training runs, and whether two of them are bitwise identical."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import MMLogger

from repflow_mm.commands import train
from tests.helpers.paths import ROOT

# Two stages of a ResNet-18: checkpoints of 3 MB, not 45.
HALF = dict(
    backbone=dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,)),
    cls_head=dict(in_channels=128),
)
# Two epochs of four iterations, with dropout, augmentation and EMA.
_CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['repflow_mm.plugin', 'tests.helpers.faults.hooks'])
model = {model}
train_cfg = dict(max_epochs=2, val_begin=1, val_interval=1)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=2, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(
    checkpoint=dict(within_epoch={within_epoch}, max_keep_ckpts=1),
    logger=dict(interval=1),
)
custom_hooks = [dict(type='EMAHook', momentum=0.1, update_buffers=True)]
"""


def write_config(
    folder: Path, motion_set: Path, workers: int, within_epoch: int = 1
) -> Path:
    """Config of a run of a few seconds: half a ResNet-18, 8 frames of 56x56."""
    text = _CONFIG.format(
        base=str(ROOT / 'configs' / 'rgb_r18_motion.py'),
        model=HALF | dict(cls_head=HALF['cls_head'] | dict(dropout_ratio=0.5)),
        within_epoch=within_epoch,
    )
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        text += f"""
{loader}_dataloader = dict(
    batch_size=5,
    num_workers={workers},
    persistent_workers={workers > 0},
    dataset=dict(
        ann_file={str(motion_set / f'motion_{part}_list_videos.txt')!r},
        data_prefix=dict(video={str(motion_set / f'videos_{part}')!r}),
    ),
)
"""
    path = folder / f'run_{workers}_{within_epoch}.py'
    path.write_text(text)
    return path


def train_here(config: Path, work_dir: Path, *options: str) -> None:
    """Train in this process, with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train.main([str(config), '--work-dir', str(work_dir), *options])
    finally:
        torch.set_num_threads(threads)
        # MMEngine keeps loggers, which hold the stream of a single test.
        MMLogger._instance_dict.clear()


def differences(left, right, where: str = '') -> list[str]:
    """Places where two checkpoints, or parts of them, are not bitwise identical.

    Times, folders and commits are ignored.
    """
    if type(left) is not type(right):
        return [f'{where}: a {type(left).__name__} against a {type(right).__name__}']
    if isinstance(left, np.ndarray):
        left, right = left.tolist(), right.tolist()
    if isinstance(left, dict):
        keys = left.keys() | right.keys()
        return [
            line
            for key in sorted(keys, key=str)
            if not _is_of_the_day(str(key))
            for line in differences(left.get(key), right.get(key), f'{where}.{key}')
        ]
    if isinstance(left, (list, tuple)):
        if len(left) != len(right):
            return [f'{where}: {len(left)} against {len(right)}']
        pairs = enumerate(zip(left, right, strict=True))
        return [
            line for i, (a, b) in pairs for line in differences(a, b, f'{where}.{i}')
        ]
    if isinstance(left, torch.Tensor):
        return [] if torch.equal(left, right) else [where]
    if hasattr(left, '_log_history'):  # MMEngine's HistoryBuffer
        left, right = left.data[0].tolist(), right.data[0].tolist()
    if isinstance(left, float) and math.isnan(left):
        return [] if math.isnan(right) else [where]
    return [] if left == right else [f'{where}: {left!r} against {right!r}'[:200]]


def _is_of_the_day(key: str) -> bool:
    names = ('cfg', 'config_text', 'time', 'experiment_name', 'last_ckpt', 'best_ckpt')
    names += ('mmengine_version',)  # with the commit of the working directory
    return key in names or key.endswith(('/time', '/data_time', '/eta', '/memory'))


def losses(work_dir: Path) -> dict[int, float]:
    """The last logged loss of each iteration, over all runs in a folder."""
    found = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if 'loss' in row:
                found[row['step']] = row['loss']
    return found
