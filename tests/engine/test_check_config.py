"""What is refused before a run, and what MMEngine takes and we do not refuse."""

from repflow_mm.config import read_config
from repflow_mm.engine.check_config import check_config


def test_what_mmengine_takes(plugin):
    options = {'log_level': 20, 'train_cfg.val_begin': 0}
    check_config(read_config('rgb_r18_motion', options), 'train')
