"""Faults of the installation, most of which only the user can fix."""

import importlib
import sys

from repflow_mm.compat import packages
from repflow_mm.compat.fault import Fault, mentions, parse_version


def _opencv_fails() -> bool:
    try:
        importlib.import_module('cv2')
    except ImportError:
        return True
    return False


def _replace_opencv() -> str:
    return packages.replace_command('cv2', by=packages.OPENCV[0])


def _mixed() -> list[str]:
    return packages.mixed('mmengine', 'mmcv')


def _mmcv_version() -> tuple[int, ...] | None:
    versions = list(packages.installed('mmcv').values())
    return parse_version(versions[0]) if versions else None


def _mmcv_too_old() -> bool:
    found = _mmcv_version()
    return found is None or found < (2,)


def _replace_mmcv() -> str:
    return packages.replace_command('mmcv', by=packages.supported('mmcv'))


# mmaction2 1.2.0 asserts mmcv < 2.2 when it is imported; it trains and tests with
# onedl-mmcv 2.3.6 (mmcv 2.2.0: not run).


def _mmcv_too_new() -> bool:
    return (
        (_mmcv_version() or ()) >= (2, 2)
        and 'mmaction' not in sys.modules
        and mentions('mmaction', '__init__.py', "mmcv_maximum_version = '2.2.0'")
    )


def _present_an_older_mmcv() -> None:
    import mmcv

    version = mmcv.__version__
    mmcv.__version__ = '2.1.0'
    try:
        importlib.import_module('mmaction')  # the only place that compares it
    finally:
        mmcv.__version__ = version


FAULTS = (
    Fault(
        name='OpenCV does not import (libGL or X11 missing, or two wheels mixed)',
        upstream='opencv/opencv-python#370',
        until='mmcv, mmengine and mmaction2 accept a headless OpenCV',
        present=_opencv_fails,
        command=_replace_opencv,
        stops_training=True,
    ),
    Fault(
        name='mmcv is missing or older than 2.0',
        upstream='open-mmlab/mmcv#3096',
        until='mmaction2 drops its upper bound',
        present=_mmcv_too_old,
        command=_replace_mmcv,
        stops_training=True,
    ),
    Fault(
        name='two packages have written into the folder of mmengine or mmcv',
        upstream='pypa/pip#4625',
        until='pip refuses to overwrite files of another package',
        present=lambda: bool(_mixed()),
        command=lambda: packages.replace_command(*_mixed()),
    ),
    Fault(
        name='mmaction2 refuses mmcv 2.2 and newer',
        upstream='open-mmlab/mmcv#3096',
        until='mmaction2 drops its upper bound',
        present=_mmcv_too_new,
        patch=_present_an_older_mmcv,
    ),
)
