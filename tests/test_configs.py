"""Every config has the intended content; every distinct network takes a step."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper

from repflow_mm.layers import build_layer
from repflow_mm.preparation.datasets import DATASETS
from repflow_mm.synthetic import KINDS
from tests.helpers.configs import FOLDER, PATHS, config, name, shrink, steps
from tests.helpers.paths import ROOT


def small(path) -> Config:
    """A config without anything irrelevant to two steps on a few pixels.

    Weights are not downloaded; classes, dropout and iterations are unified. A
    ResNet-34 has the blocks of a ResNet-18.
    """
    cfg = copy.deepcopy(config(path))
    for stream in cfg.model.get('streams', [cfg.model]):
        backbone = stream.backbone
        backbone.pretrained = None
        if (backbone.type, backbone.depth) == ('RepFlowResNet', 34):
            backbone.depth = 18
        if backbone.flow and 'n_iters' in backbone.flow:
            backbone.flow.n_iters = 5
        if backbone.get('in_channels', 3) > 3:
            backbone.in_channels = 4  # two flows
        stream.cls_head.update(num_classes=10, dropout_ratio=0.5)
    cfg.model.pop('_scope_', None)
    for part in ('train', 'test'):
        dataset = cfg[f'{part}_dataloader'].dataset
        dataset.pipeline = shrink(dataset.pipeline)
        for step in steps(dataset.pipeline, 'ComputeFlow'):
            step.cache = None
    return cfg


@pytest.fixture(scope='module')
def batch(motion_set):
    """The small set as loaded by a config's dataset and pipeline, cached."""
    from mmaction.registry import DATASETS

    made = {}

    def of(cfg: Config, part: str, size: int) -> dict:
        dataset = cfg[f'{part}_dataloader'].dataset
        key = part, repr(dataset.pipeline)
        if key not in made:
            folder = 'train' if part == 'train' else 'val'
            dataset.ann_file = str(motion_set / f'motion_{folder}_list_videos.txt')
            dataset.data_prefix.video = str(motion_set / f'videos_{folder}')
            built = DATASETS.build(dataset)
            samples = [built[2 * n] for n in range(size)]
            for sample in samples:
                sample['data_samples'].set_gt_label(1)  # one that every model has
            made[key] = pseudo_collate(samples)
        return copy.deepcopy(made[key])

    return of


STEPPED = set()  # networks and pipelines that several configs come to


@pytest.mark.parametrize('path', PATHS, ids=name)
def test_a_training_and_a_test_step(path, plugin, batch):
    from mmaction.registry import MODELS

    cfg = small(path)
    pipelines = (cfg[f'{p}_dataloader'].dataset.pipeline for p in ('train', 'test'))
    key = repr((cfg.model, *pipelines, cfg.optim_wrapper))
    if key in STEPPED:
        return
    model = MODELS.build(cfg.model)
    model.train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = model.train_step(batch(cfg, 'train', 2), wrapper)
    assert all(torch.isfinite(value) for value in losses.values())
    model.eval()
    with torch.no_grad():
        (result,) = model.test_step(batch(cfg, 'test', 1))
    assert result.pred_score.shape == (10,)
    torch.testing.assert_close(result.pred_score.sum(), torch.tensor(1.0))
    STEPPED.add(key)


@pytest.mark.parametrize('path', PATHS, ids=name)
def test_what_every_config_needs(path):
    cfg = config(path)
    for stream in cfg.model.get('streams', [cfg.model]):
        assert stream.cls_head.average_clips == 'prob'  # None fails in validation
    assert 'repflow_mm.plugin' in cfg.custom_imports.imports
    assert cfg.auto_scale_lr.base_batch_size > 0
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys['.solver.'] == dict(
        lr_mult=0.01, decay_mult=0
    )
    assert any(hook.type == 'EMAHook' for hook in cfg.custom_hooks)
    # MMAction2's inference reads it.
    assert cfg.test_pipeline == cfg.test_dataloader.dataset.pipeline
    assert len(path.read_text().splitlines()) <= 45
    if path.parent.name.startswith('table'):
        code = [line for line in path.read_text().splitlines() if line[:5] != 'from ']
        assert sum(line[:1].isalpha() or line[:1] == '_' for line in code) <= 4
    # What the variables say is what the entries say.
    (train,) = steps(cfg.train_dataloader.dataset.pipeline, 'SampleFrames')
    assert cfg.train_cfg.max_epochs == cfg.max_epochs
    assert train.clip_len == cfg.clip_len
    for record in (cfg.data_variables, cfg.schedule_variables):
        assert all(cfg[key] == value for key, value in record.items())
    if 'splits' in cfg:
        # Runs on other splits, and of other configs, must not meet in one folder.
        assert cfg.work_dir == f'./work_dirs/{path.stem}_split{cfg.splits[0]}'


def test_kinetics_is_the_papers():
    cfg = config('repflow_r50_block3_kinetics400.py')
    train, test = (
        cfg[f'{part}_dataloader'].dataset.pipeline for part in ('train', 'test')
    )
    assert [step.clip_len for step in steps(train, 'SampleFrames')] == [32]
    assert [step.scale for step in steps(train, 'Resize')] == [(-1, 256), (224, 224)]
    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.after, backbone.flow.n_iters) == (50, 'block3', 20)
    assert backbone.pretrained == 'torchvision://resnet50'
    assert cfg.optim_wrapper.optimizer.type == 'SGD' and cfg.optim_wrapper.clip_grad
    assert [step.num_clips for step in steps(test, 'SampleFrames')] == [10]
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
    from repflow_mm.synthetic import CLASSES

    cfg = config('repflow_r18_block2_motion.py')
    (flip,) = steps(cfg.train_dataloader.dataset.pipeline, 'Flip')
    swapped = {CLASSES[a]: CLASSES[b] for a, b in flip.flip_label_map.items()}
    assert swapped == {
        'move_left': 'move_right',
        'move_right': 'move_left',
        'rotate_clockwise': 'rotate_counterclockwise',
        'rotate_counterclockwise': 'rotate_clockwise',
    }


def test_solver_parameters_learn_slowly_and_without_decay(plugin):
    from mmaction.registry import MODELS

    cfg = copy.deepcopy(config('repflow_r50_block3_kinetics400.py'))
    cfg.model.backbone.update(pretrained=None, depth=18)
    cfg.model.cls_head.in_channels = 512
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    slow = {id(p) for group in groups if group['lr'] == 1e-4 for p in group['params']}
    assert slow == {id(p) for p in model.backbone.flow.solver.parameters()}
    assert all(g['weight_decay'] == 0 for g in groups if g['lr'] == 1e-4)


def test_the_motion_sets_classes_have_their_names():
    cfg = config('repflow_r18_block2_motion.py')
    assert tuple(cfg.class_names) == KINDS['motion'].classes
    cfg = config('repflow_r18_block2_acceleration.py')
    assert tuple(cfg.class_names) == KINDS['acceleration'].classes


# Datasets that have no config of their own yet.
BASES = [FOLDER / f'_base_/datasets/{n}.py' for n in ('weizmann', 'ut_interaction')]


def test_layers_on_the_motion_set_differ_in_the_layer_alone(plugin):
    rgb = config('rgb_r18_motion.py').to_dict()
    goal = build_layer({}, 64)
    arms = sorted((FOLDER / 'motion_layers').glob('*.py'))
    for path in [*arms, FOLDER / 'repflow_r18_block2_motion.py']:
        cfg = config(path).to_dict()  # a copy
        backbone = cfg['model']['backbone']
        assert path.name in (FOLDER / 'motion_layers' / 'README.md').read_text()
        if path.name.startswith(('pixel_flow_', 'actionflownet_')):
            continue  # of pixels, and no layer
        assert backbone['after'] == 'block2'
        sizes = [
            sum(p.numel() for p in layer.parameters())
            for layer in (build_layer(backbone['flow'], 64), goal)
        ]
        assert abs(sizes[0] / sizes[1] - 1) <= 0.02
        plain = cfg | dict(
            model=cfg['model'] | dict(backbone=backbone | dict(flow=None))
        )
        assert {**plain, 'work_dir': ''} == {**rgb, 'work_dir': ''}
    assert len(arms) >= 5


@pytest.mark.parametrize('dataset', DATASETS, ids=lambda dataset: dataset.name)
def test_prepare_data_names_the_configs_that_read_its_lists(dataset):
    named = {path for pattern in dataset.configs for path in FOLDER.glob(pattern)}
    lists = {
        path: config(path).test_dataloader.dataset.ann_file
        for path in [*PATHS, *FOLDER.glob('legacy/*.py'), *BASES]
    }
    reading = {path for path in lists if lists[path].startswith(f'{dataset.out}/')}
    assert named == reading != set()
