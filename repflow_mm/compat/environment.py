"""Faults of the installation, which only the user can fix."""

import importlib

from repflow_mm.compat.fault import Fault, version


def _opencv_fails() -> bool:
    try:
        importlib.import_module('cv2')
    except ImportError:
        return True
    return False


def _mmcv_out_of_range() -> bool:
    found = version('mmcv', 'mmcv-lite')
    return found is None or not (2, 0, 0) <= found < (2, 2)


FAULTS = (
    Fault(
        name='OpenCV does not import (libGL or X11 missing, or two wheels mixed)',
        upstream='opencv/opencv-python#370',
        until='mmcv, mmengine and mmaction2 accept a headless OpenCV',
        present=_opencv_fails,
        command='pip uninstall -y opencv-python opencv-contrib-python && '
        'pip install --force-reinstall opencv-contrib-python-headless',
        stops_training=True,
    ),
    Fault(
        name='mmcv is missing, or outside the range mmaction2 accepts',
        upstream='open-mmlab/mmcv#3096',
        until='mmaction2 drops its upper bound',
        present=_mmcv_out_of_range,
        command="pip install 'mmcv-lite>=2.0.1,<2.2'",
        stops_training=True,
    ),
)
