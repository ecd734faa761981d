"""Faults of MMEngine."""

import importlib.util

import pytest
import torch

from repflow_mm import compat
from tests.helpers.compat import fault


@pytest.mark.parametrize('there', [True, False])
def test_mmengine_needs_pkg_resources(monkeypatch, there):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name: (there or None) if name == 'pkg_resources' else find(name),
    )
    assert fault('pkg_resources').present() != there


def test_loaders_that_run_pickles_or_refuse_logs_are_faulty(plugin, monkeypatch):
    from mmengine.runner import checkpoint

    entry = fault('unpickles')
    assert compat.state(entry) == 'patched' and not entry.present()

    def unrestricted(filename, map_location):
        return torch.load(filename, map_location, weights_only=False)

    def refuses_its_own(filename, map_location):
        return torch.load(filename, map_location, weights_only=True)

    for loader in (unrestricted, refuses_its_own):
        monkeypatch.setattr(checkpoint, 'load_from_local', loader)
        assert entry.present()


def test_a_collate_function_is_not_given_a_scope(plugin):
    from mmengine.runner import Runner

    assert compat.state(fault('collate')) == 'patched'
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=[1, 2],
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate', _scope_='mmaction'),
    )
    assert list(Runner.build_dataloader(loader)) == [[1, 2]]
    assert '_scope_' in loader['collate_fn']  # the config is left as it was


def test_a_config_is_formatted_once(plugin, monkeypatch):
    from mmengine.config import Config
    from yapf.yapflib import yapf_api

    assert compat.state(fault('many times')) == 'patched'
    formatted = []
    tree = yapf_api.FormatTree
    monkeypatch.setattr(
        yapf_api,
        'FormatTree',
        lambda *args, **kw: formatted.append(tree) or tree(*args, **kw),
    )
    cfg = Config(dict(model=dict(type='TestOfFormatting', depth=18)))
    text = cfg.pretty_text
    assert Config(cfg.to_dict()).pretty_text == text and len(formatted) == 1
    cfg.model.depth = 34
    assert 'depth=34' in cfg.pretty_text and len(formatted) == 2
