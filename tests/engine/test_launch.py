"""What is refused before a run, and what MMEngine takes and we do not refuse."""

from repflow_mm.config import read_config
from repflow_mm.engine.launch import _check


def test_what_mmengine_takes(plugin):
    options = {'log_level': 20, 'train_cfg.val_begin': 0}
    _check(read_config('rgb_r18_motion', options), 'train')
