"""Configs are found by name in any folder; variables update their entries."""

import argparse

import pytest
from mmengine.config import Config

from repflow_mm.commands._config import add_cfg_options
from repflow_mm.config import apply_variables, find_config, read_config
from repflow_mm.config.read import remove_hooks
from repflow_mm.errors import InputError
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


def test_an_unknown_name_gives_similar_suggestions():
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

    off = {'default_hooks.check_weights': None, 'default_hooks.timer': None}
    cfg = read_config('repflow_r18_block2_motion', off)
    remove_hooks(cfg)
    hooks = cfg.default_hooks
    assert 'check_weights' not in hooks and hooks.timer is None
    runner = object.__new__(Runner)
    runner._hooks = []
    runner.register_default_hooks(hooks)
    names = [type(hook).__name__ for hook in runner._hooks]
    assert 'CheckLossHook' in names
    assert not {'CheckWeightsHook', 'IterTimerHook'} & set(names)


def entries(cfg: Config, part: str, kind: str, key: str) -> list:
    return [
        step[key]
        for pipeline in (
            cfg[f'{part}_pipeline'],
            cfg[f'{part}_dataloader'].dataset.pipeline,
        )
        for step in pipeline
        if step.type == kind
    ]


def test_a_variable_updates_all_of_its_entries():
    options = dict(
        clip_len=8,
        frame_interval=4,
        num_clips=3,
        short_side=96,
        crop_size=80,
        max_epochs=30,
        start_factor=0.5,
        ema_momentum=0.01,
        decoder='pyav',
    )
    cfg = read_config('repflow_r50_block3_kinetics400', options)
    for part, clips in (('train', 1), ('val', 1), ('test', 3)):
        assert entries(cfg, part, 'VideoInit', 'decoder') == ['pyav'] * 2
        assert entries(cfg, part, 'SampleFrames', 'clip_len') == [8] * 2
        assert entries(cfg, part, 'SampleFrames', 'frame_interval') == [4] * 2
        assert entries(cfg, part, 'SampleFrames', 'num_clips') == [clips] * 2
    train = entries(cfg, 'train', 'Resize', 'scale')
    assert train == [(-1, 96), (80, 80)] * 2
    assert entries(cfg, 'train', 'MultiScaleCrop', 'input_size') == [80] * 2
    assert entries(cfg, 'val', 'CenterCrop', 'crop_size') == [80] * 2
    assert entries(cfg, 'test', 'ThreeCrop', 'crop_size') == [96] * 2
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.start_factor, warm_up.end) == (0.5, 5)
    assert (cosine.begin, cosine.T_max, cosine.end) == (5, 25, 30)
    assert (cfg.train_cfg.max_epochs, cfg.custom_hooks[0].momentum) == (30, 0.01)
    # A decoder that one step was given by its full name stays.
    step = 'val_dataloader.dataset.pipeline.0.decoder'
    own = read_config('repflow_r50_block3_kinetics400', {step: 'opencv'})
    assert entries(own, 'val', 'VideoInit', 'decoder') == ['auto', 'opencv']
    # Applied once more, as a Runner does, it changes nothing.
    before = cfg.to_dict()
    apply_variables(cfg)
    assert cfg.to_dict() == before


def test_channels_last_of_an_inherited_config_can_be_undone(tmp_path):
    config = tmp_path / 'own.py'
    config.write_text(
        "_base_ = 'repflow_mm::rgb_r18_motion.py'\n"
        'from repflow_mm.config import set_variables\n'
        'set_variables(_base_, channels_last=True)\n'
    )
    hook = dict(type='ChannelsLastHook')
    assert read_config(config).custom_hooks.count(hook) == 1
    assert hook not in read_config(config, dict(channels_last=False)).custom_hooks


def test_kind_takes_another_motion_set():
    cfg = read_config('rgb_r18_motion', dict(kind='speed', crop_size=104))
    assert cfg.class_names[:2] == ['right', 'down_right']
    assert cfg.model.cls_head.num_classes == len(cfg.class_names) == 8
    for part, name in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{part}_dataloader'].dataset
        assert dataset.ann_file == f'data/speed/motion_{name}_list_videos.txt'
        assert dataset.data_prefix.video == f'data/speed/videos_{name}'
    # Mirrored, a motion to the right would keep its label.
    assert entries(cfg, 'train', 'Flip', 'flip_ratio') == []
    before = cfg.to_dict()
    apply_variables(cfg)
    assert cfg.to_dict() == before
    few = read_config('rgb_r18_motion', dict(kind='few'))
    assert entries(few, 'train', 'Flip', 'flip_ratio') == [0.5, 0.5]
    with pytest.raises(InputError, match='one of motion, acceleration, product'):
        read_config('rgb_r18_motion', dict(kind='fast'))


def test_an_inheriting_config_changes_one_name(tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'repflow_mm::repflow_r18_block2_motion.py'\n"
        'clip_len = 6\n'
        'max_epochs = 2\n'
    )
    cfg = read_config('mine.py')
    assert entries(cfg, 'test', 'SampleFrames', 'clip_len') == [6, 6]
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[0].T_max == 2


def test_entries_of_another_kind_are_left_alone(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        "_base_ = 'repflow_mm::rgb_r18_motion.py'\n"
        "step = dict(type='Resize', scale=0.5)\n"
        'val_dataloader = dict(dataset=dict(pipeline=[step]))\n'
        "train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=9)\n"
    )
    cfg = read_config(path, {'crop_size': 40, 'max_epochs': 3})
    assert cfg.val_dataloader.dataset.pipeline == [dict(type='Resize', scale=0.5)]
    assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=9)


def test_a_single_scheduler_needs_no_list(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        "_base_ = 'repflow_mm::rgb_r18_motion.py'\n"
        "param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', T_max=5)\n"
    )
    assert read_config(path, {'max_epochs': 3}).param_scheduler.T_max == 3


def test_entries_by_their_full_names_and_other_configs_are_left_alone(tmp_path):
    full = {'train_cfg.max_epochs': 3, 'param_scheduler.1.T_max': 7}
    cfg = read_config('repflow_r50_block3_kinetics400', full)
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].T_max) == (3, 7)
    # A name that a stranger's config uses in its own way is not ours.
    (tmp_path / 'other.py').write_text(
        'clip_len = 8\n'
        'model = dict()\n'
        "test_pipeline = [dict(type='SampleFrames', clip_len=2 * clip_len)]\n"
    )
    assert read_config('other.py').test_pipeline[0].clip_len == 16


def test_a_split_selects_the_lists_and_the_folder():
    cfg = read_config('repflow_r50_block3_hmdb51', dict(split=2))
    for part in ('train', 'val', 'test'):
        assert '_split_2_videos' in cfg[f'{part}_dataloader'].dataset.ann_file
    cfg = read_config('table9_comparison/rgb_r50_hmdb51', dict(split=3))
    assert cfg.work_dir.endswith('rgb_r50_hmdb51_split3')
    cfg = read_config('real/rgb_r18_weizmann', dict(split='eli'))
    assert cfg.test_dataloader.dataset.ann_file.endswith('val_split_eli_videos.txt')
    assert set(cfg.splits) >= {'eli', 'daria'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(clip_len=0), 'clip_len has to be a whole number above 0, got 0'),
        (dict(clip_len='x'), "clip_len has to be .*, got 'x'"),
        (dict(max_epochs=True), 'max_epochs has to be'),
        (dict(max_epochs=5), 'max_epochs=5 ends before CosineAnnealingLR begins, at'),
        (dict(ema_momentum=1), 'ema_momentum has to be a number between 0 and 1'),
        (dict(ema_momentum=2), 'ema_momentum has to be a number between 0 and 1'),
        (dict(crop_size=300), 'crop_size=300 does not fit .* short_side=256: set both'),
        (dict(custom_hooks=None, ema_momentum=0.5), 'ema_momentum=0.5 changes nothing'),
        (dict(data_variables=dict(x=1)), "data_variables: 'x' is not one of"),
    ],
)
def test_invalid_variables(options, message):
    with pytest.raises(InputError, match=message):
        read_config('repflow_r50_block3_kinetics400', options)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('my names.txt', 'my names.txt'),
        ('"/a b/c, d"', '/a b/c, d'),
        ("'1'", '1'),
        ('[1, 2]', [1, 2]),
        ('"[1,2]"', [1, 2]),
        ('a, b', ['a', 'b']),
        (' 3', 3),
        ('None', None),
    ],
)
def test_values_of_options(text, value):
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    args = parser.parse_args(
        ['--cfg-options', 'x=1', f'key={text}', '--cfg-options', 'y=2']
    )
    assert args.cfg_options == dict(x=1, key=value, y=2)
