"""Every config parses, builds at its real size, and says what the paper says."""

import pytest
import torch
from mmengine.config import Config

from repflow_mm.layers import RepresentationFlow
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / 'configs').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_model_builds_and_takes_a_step(path, plugin):
    from mmaction.registry import MODELS

    cfg = Config.fromfile(path)
    cfg.model.backbone.pretrained = None  # weights cannot be downloaded here
    model = MODELS.build(cfg.model)
    layers = [m for m in model.modules() if isinstance(m, RepresentationFlow)]
    assert len(layers) == dict(rgb=0, repflow=1, fcf=2)[path.stem.split('_')[0]]
    model.train()
    feature, _ = model.extract_feat(torch.rand(2, 1, 3, 4, 64, 64))
    scores = model.cls_head(feature)
    assert scores.shape == (2, cfg.model.cls_head.num_classes)
    scores.sum().backward()


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_what_every_config_needs(path):
    cfg = Config.fromfile(path)
    assert cfg.model.cls_head.average_clips == 'prob'  # None fails in validation
    assert 'repflow_mm.plugin' in cfg.custom_imports.imports
    assert cfg.auto_scale_lr.base_batch_size > 0
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys['.solver.'] == dict(
        lr_mult=0.01, decay_mult=0
    )
    assert any(hook.type == 'EMAHook' for hook in cfg.custom_hooks)
    assert 'test_pipeline' in cfg  # MMAction2's inference reads it
    assert len(path.read_text().splitlines()) <= 45


def test_kinetics_is_the_papers():
    cfg = Config.fromfile(ROOT / 'configs' / 'repflow_r50_block3_kinetics400.py')
    sample = cfg.train_dataloader.dataset.pipeline[1]
    assert (sample.type, sample.clip_len) == ('SampleFrames', 32)
    assert cfg.train_dataloader.dataset.pipeline[5].scale == (224, 224)
    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.after, backbone.flow.n_iters) == (50, 'block3', 20)
    assert backbone.pretrained == 'torchvision://resnet50'
    assert cfg.optim_wrapper.optimizer.type == 'SGD' and cfg.optim_wrapper.clip_grad
    assert cfg.test_dataloader.dataset.pipeline[1].num_clips == 10
    assert cfg.auto_scale_lr.base_batch_size == 8 * cfg.train_dataloader.batch_size
    # MMAction2's layout, path for path.
    part = cfg.train_dataloader.dataset
    assert part.ann_file == 'data/kinetics400/kinetics400_train_list_videos.txt'
    assert part.data_prefix.video == 'data/kinetics400/videos_train'


def test_one_option_chooses_the_split_of_hmdb51(monkeypatch):
    path = ROOT / 'configs' / 'repflow_r50_block3_hmdb51.py'
    for split in ('1', '2', '3'):
        if split != '1':
            monkeypatch.setenv('HMDB51_SPLIT', split)
        cfg = Config.fromfile(path)
        for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
            dataset = cfg[f'{loader}_dataloader'].dataset
            name = f'data/hmdb51/hmdb51_{part}_split_{split}_videos.txt'
            assert dataset.ann_file == name
            assert dataset.data_prefix.video == 'data/hmdb51/videos'
        assert cfg.work_dir.endswith(f'split{split}')


def test_mirrored_motions_get_their_mirrored_labels():
    from repflow_mm.datasets import CLASSES

    cfg = Config.fromfile(ROOT / 'configs' / 'repflow_r18_block2_motion.py')
    (flip,) = (t for t in cfg.train_dataloader.dataset.pipeline if t.type == 'Flip')
    swapped = {CLASSES[a]: CLASSES[b] for a, b in flip.flip_label_map.items()}
    assert swapped == {
        'move_left': 'move_right',
        'move_right': 'move_left',
        'rotate_clockwise': 'rotate_counterclockwise',
        'rotate_counterclockwise': 'rotate_clockwise',
    }


def test_solver_parameters_learn_slowly_and_without_decay(plugin):
    from mmaction.registry import MODELS
    from mmengine.optim import build_optim_wrapper

    cfg = Config.fromfile(ROOT / 'configs' / 'repflow_r50_block3_kinetics400.py')
    cfg.model.backbone.update(pretrained=None, depth=18)
    cfg.model.cls_head.in_channels = 512
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    slow = {id(p) for group in groups if group['lr'] == 1e-4 for p in group['params']}
    assert slow == {id(p) for p in model.backbone.flow.solver.parameters()}
    assert all(g['weight_decay'] == 0 for g in groups if g['lr'] == 1e-4)
