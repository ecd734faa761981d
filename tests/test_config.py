"""A config's name is enough, in any folder."""

import pytest
from mmengine.config import Config

from repflow_mm.config import find_config
from tests.helpers.paths import ROOT


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    'name',
    [
        'rgb_r18_motion.py',
        'rgb_r18_motion',
        'configs/rgb_r18_motion.py',
        'repflow_mm::rgb_r18_motion.py',
    ],
)
def test_our_configs_go_by_their_names(name):
    assert find_config(name).samefile(ROOT / 'configs' / 'rgb_r18_motion.py')


def test_a_file_that_is_there_goes_before_one_of_ours(tmp_path):
    (tmp_path / 'rgb_r18_motion.py').touch()
    assert find_config('rgb_r18_motion.py').samefile(tmp_path / 'rgb_r18_motion.py')


def test_a_name_that_is_not_there_is_answered_with_those_that_are_close():
    with pytest.raises(FileNotFoundError, match=r'mean rgb_r18_motion\.py\?'):
        find_config('rgb_r18_motions.py')
    with pytest.raises(
        FileNotFoundError, match=r'table1_.*3_tiny.* or table5_.*3_tiny'
    ):
        find_config('repflow_r34_block3_tinykinetics')
    with pytest.raises(FileNotFoundError, match=r'no config at /no/such/file\.py'):
        find_config('/no/such/file.py')


def test_a_config_anywhere_inherits_one_of_ours(plugin, tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'repflow_mm::rgb_r18_motion.py'\n"
        'model = dict(cls_head=dict(num_classes=3))\n'
    )
    model = Config.fromfile('mine.py').model
    assert (model.backbone.depth, model.cls_head.num_classes) == (18, 3)


def test_a_hook_that_is_none_is_left_out(plugin):
    from mmengine.runner import Runner

    from repflow_mm.config import read_config

    off = {'default_hooks.check_weights': None, 'default_hooks.timer': None}
    hooks = read_config('repflow_r18_block2_motion', off).default_hooks
    assert 'check_weights' not in hooks and hooks.timer is None
    runner = object.__new__(Runner)
    runner._hooks = []
    runner.register_default_hooks(hooks)
    names = [type(hook).__name__ for hook in runner._hooks]
    assert 'CheckLossHook' in names
    assert not {'CheckWeightsHook', 'IterTimerHook'} & set(names)
