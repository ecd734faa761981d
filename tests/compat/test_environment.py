"""Faults of the installation."""

import sys

import pytest

from tests.helpers.compat import fault


@pytest.mark.slow
@pytest.mark.parametrize('version', ['2.2.0', '2.3.6'])
def test_a_newer_mmcv_is_accepted_and_keeps_its_version(run_python, version):
    code = f"""
import importlib.metadata, mmcv
mmcv.__version__ = {version!r}
from repflow_mm.compat import FAULTS, packages
packages.installed = lambda name: dict(mmcv={version!r})
try:
    import mmaction
except AssertionError:
    print('refused')
(fault,) = (fault for fault in FAULTS if 'refuses mmcv' in fault.name)
assert fault.present()
import repflow_mm.plugin
assert not fault.present()
print(mmcv.__version__)
"""
    result = run_python('-c', code)
    assert result.stdout.split() == ['refused', version], result.stderr


def test_opencv_that_does_not_import(monkeypatch):
    assert not fault('OpenCV').present()
    monkeypatch.setitem(sys.modules, 'cv2', None)
    assert fault('OpenCV').present()
