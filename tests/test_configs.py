"""Every config parses, builds, trains and tests a step, and says what it should."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper

from tests.helpers.paths import ROOT

CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if not {'_base_', 'legacy'} & set(path.parts)
)


def name(path) -> str:
    return str(path.relative_to(ROOT / 'configs').with_suffix(''))


def shrink(pipeline: list[dict]) -> list[dict]:
    """The same steps on five frames of 32x32."""
    sizes = {
        'Resize': lambda t: t.update(scale=(-1, 36) if t.scale[0] == -1 else (32, 32)),
        'MultiScaleCrop': lambda t: t.update(input_size=32),
        'RandomCrop': lambda t: t.update(size=32),
        'CenterCrop': lambda t: t.update(crop_size=32),
        'ThreeCrop': lambda t: t.update(crop_size=36),
        'SampleFrames': lambda t: t.update(
            clip_len=5, frame_interval=1, num_clips=min(t.num_clips, 2)
        ),
    }
    pipeline = copy.deepcopy(pipeline)
    for transform in pipeline:
        sizes.get(transform.type, lambda t: None)(transform)
    return pipeline


def batch(cfg, part: str, motion_set, size: int) -> dict:
    """What a config's own dataset and pipeline make of the small set."""
    from mmaction.registry import DATASETS

    dataset = copy.deepcopy(cfg[f'{part}_dataloader'].dataset)
    folder = 'train' if part == 'train' else 'val'
    dataset.ann_file = str(motion_set / f'motion_{folder}_list_videos.txt')
    dataset.data_prefix.video = str(motion_set / f'videos_{folder}')
    dataset.pipeline = shrink(dataset.pipeline)
    built = DATASETS.build(dataset)
    samples = [built[2 * n] for n in range(size)]
    for sample in samples:
        sample['data_samples'].set_gt_label(1)  # a label that every model has
    return pseudo_collate(samples)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_a_training_and_a_test_step(path, plugin, motion_set):
    from mmaction.registry import MODELS

    cfg = Config.fromfile(path)
    streams = cfg.model.get('streams', [cfg.model])
    for stream in streams:
        stream.backbone.pretrained = None  # weights cannot be downloaded here
    model = MODELS.build(cfg.model)
    model.train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = model.train_step(batch(cfg, 'train', motion_set, 2), wrapper)
    assert all(torch.isfinite(value) for value in losses.values())
    model.eval()
    with torch.no_grad():
        (result,) = model.test_step(batch(cfg, 'test', motion_set, 1))
    assert result.pred_score.shape == (streams[0].cls_head.num_classes,)
    torch.testing.assert_close(result.pred_score.sum(), torch.tensor(1.0))


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_what_every_config_needs(path):
    cfg = Config.fromfile(path)
    for stream in cfg.model.get('streams', [cfg.model]):
        assert stream.cls_head.average_clips == 'prob'  # None fails in validation
    assert 'repflow_mm.plugin' in cfg.custom_imports.imports
    assert cfg.auto_scale_lr.base_batch_size > 0
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys['.solver.'] == dict(
        lr_mult=0.01, decay_mult=0
    )
    assert any(hook.type == 'EMAHook' for hook in cfg.custom_hooks)
    assert 'test_pipeline' in cfg  # MMAction2's inference reads it
    assert len(path.read_text().splitlines()) <= 45
    if 'hmdb51' in path.stem:
        # Runs on other splits, and of other configs, must not meet in one folder.
        assert cfg.work_dir == f'./work_dirs/{path.stem}_split1'


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

    cfg = Config.fromfile(ROOT / 'configs' / 'repflow_r50_block3_kinetics400.py')
    cfg.model.backbone.update(pretrained=None, depth=18)
    cfg.model.cls_head.in_channels = 512
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    slow = {id(p) for group in groups if group['lr'] == 1e-4 for p in group['params']}
    assert slow == {id(p) for p in model.backbone.flow.solver.parameters()}
    assert all(g['weight_decay'] == 0 for g in groups if g['lr'] == 1e-4)


def test_the_motion_sets_classes_have_their_names():
    from repflow_mm.datasets.synthetic import motion_set

    for name, classes in (
        ('repflow_r18_block2_motion', motion_set.CLASSES),
        ('repflow_r18_block2_acceleration', motion_set.ACCELERATION_CLASSES),
    ):
        cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
        assert tuple(cfg.class_names) == classes
