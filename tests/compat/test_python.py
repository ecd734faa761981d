"""What newer Pythons removed."""

import importlib.util
import pkgutil

import pytest
from torch import nn

from tests.helpers.compat import fault


def test_pkgutil_without_find_loader(plugin, monkeypatch):
    """As in Python 3.14; MMEngine calls it for `paramwise_cfg`, mmcv for its ops."""
    from mmcv.utils.ext_loader import check_ops_exist
    from mmengine.optim import build_optim_wrapper

    entry = fault('find_loader')
    monkeypatch.setattr(pkgutil, 'find_loader', lambda name: None, raising=False)
    assert not entry.present()
    monkeypatch.delattr(pkgutil, 'find_loader')
    with pytest.raises(AttributeError, match='find_loader'):
        check_ops_exist()
    assert entry.present()
    entry.patch()
    assert not entry.present() and not check_ops_exist()
    wrapper = dict(optimizer=dict(type='SGD', lr=1.0), paramwise_cfg={})
    assert build_optim_wrapper(nn.Linear(1, 1), wrapper).optimizer.defaults['lr'] == 1
    assert pkgutil.find_loader('mmcv') is importlib.util.find_spec('mmcv').loader
