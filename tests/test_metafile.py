"""model-index.yml is correct: paths, counts, and measured metrics."""

import copy
import re

import pytest
import torch
import yaml

from tests.helpers.configs import config as read
from tests.helpers.paths import ROOT

INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())
FILES = [yaml.safe_load((ROOT / name).read_text()) for name in INDEX['Import']]
COLLECTIONS = {entry['Name'] for file in FILES for entry in file['Collections']}
MODELS = [model for file in FILES for model in file['Models']]


def test_every_config_of_the_first_folder_is_in_it():
    configs = {path.relative_to(ROOT).as_posix() for path in ROOT.glob('configs/*.py')}
    assert {model['Config'] for model in MODELS} == configs


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_model_entries_are_correct(model, plugin):
    from mmaction.registry import MODELS

    from repflow_mm.benchmark.complexity import flops, parameters

    config = copy.deepcopy(read(ROOT / model['Config']))
    said = model['Metadata']
    assert model['Name'] == (ROOT / model['Config']).stem
    assert model['In Collection'] in COLLECTIONS
    assert said['Batch Size'] == config.train_dataloader.batch_size
    assert said['Epochs'] == config.train_cfg.max_epochs
    assert said['Frames'] == config.clip_len
    start = 'ImageNet' if config.model.backbone.pretrained else 'None'
    assert said['Pretrained'] == ('Kinetics-400' if config.get('load_from') else start)

    config.model.backbone.pretrained = None
    with torch.device('meta'):  # counts need no weights
        built = MODELS.build(config.model)
    size = int(said['Resolution'].partition('x')[0])
    assert said['Parameters'] == f'{parameters(built) / 1e6:.2f}M'
    counted = flops(built.backbone, said['Frames'], size) / 2  # see the file's head
    assert said['FLOPs'] == f'{counted / 1e9:.1f}G'


def test_figures_are_those_of_the_readme():
    readme = (ROOT / 'README.md').read_text()
    for model in MODELS:
        for result in model.get('Results', []):
            for value in result['Metrics'].values():
                assert re.search(rf'\b{value}\b', readme)
        assert 'Weights' not in model  # none are published
