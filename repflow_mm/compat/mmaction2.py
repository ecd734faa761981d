"""Faults of MMAction2."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

from repflow_mm.compat.fault import (
    UNREPORTED,
    Fault,
    is_original,
    mentions,
    package_file,
    parse_version,
    replace_method,
)
from repflow_mm.errors import InputError

# mmaction2 1.2.0: `mmaction/models/localizers/drn` is not in the wheel.


def _drn_missing() -> bool:
    if 'mmaction.models.localizers.drn' in sys.modules:
        return False
    imports_it = mentions('mmaction', 'models/localizers/__init__.py', '.drn.drn')
    return imports_it and not package_file('mmaction', 'models/localizers/drn/drn.py')


def _stub_drn() -> None:
    class DRN:
        """Stands in for the localizer missing from the mmaction2 wheel."""

        def __init__(self, *args, **kwargs) -> None:
            raise InputError(
                'DRN is not in the installed mmaction2 (open-mmlab/mmaction2#2714): '
                'install mmaction2 from its repository to use it'
            )

    name = 'mmaction.models.localizers.drn'
    package, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    package.__path__ = []
    package.drn, module.DRN = module, DRN
    sys.modules.update({name: package, f'{name}.drn': module})


# mmaction2 1.2.0 imports the backport `importlib_metadata` without declaring it.


def _importlib_metadata_missing() -> bool:
    return (
        mentions('mmaction', 'utils/dependency.py', 'importlib_metadata')
        and importlib.util.find_spec('importlib_metadata') is None
    )


def _alias_importlib_metadata() -> None:
    sys.modules['importlib_metadata'] = importlib.metadata


# MMAction2's ColorJitter adds a negative integer to uint8, an error in numpy 2.


def _hue_overflows() -> bool:
    if not package_file('mmaction', '__init__.py'):
        return False
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    if parse_version(np.__version__) < (2,):
        return False
    try:
        ColorJitter.adjust_hue(np.zeros((1, 1, 3)), -0.1)
    except OverflowError:
        return True
    return False


def _widen_hue() -> None:
    import cv2
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    def adjust_hue(img, factor):
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)


# MMAction2's Recognizer2D splits a single feature map along the batch before passing it
# to a neck, and `max_testing_views` calls a method that backbones lack.


def _recognizer2d() -> tuple[type, str]:
    from mmaction.models.recognizers import Recognizer2D

    return Recognizer2D, 'extract_feat'


def _feature_method(recognizer) -> str:
    """The name of the backbone's method that a Recognizer2D calls."""
    if recognizer.backbone_from == 'timm':
        return 'forward_features'
    torchvision = recognizer.backbone_from == 'torchvision'
    return (
        'features'
        if torchvision and hasattr(recognizer.backbone, 'features')
        else 'forward'
    )


def _patch_recognizer2d() -> None:
    import torch

    recognizer2d, name = _recognizer2d()
    extract_feat = getattr(recognizer2d, name)

    def patched(self, inputs, stage='neck', data_samples=None, test_mode=False):
        backbone, test_cfg = self.backbone, self.test_cfg
        views = test_mode and test_cfg and test_cfg.get('max_testing_views')
        method = _feature_method(self)
        pooled = self.backbone_from in ('timm', 'torchvision')
        neck = self.with_neck and stage != 'backbone'
        if neck and pooled:
            raise InputError(
                f'Recognizer2D pools the output of a {self.backbone_from} backbone to '
                'one value per channel, and a neck cannot work on that: put motion '
                "into the backbone (type='FlowAugmented')"
            )
        forward, replaced = getattr(backbone, method), vars(backbone).get(method)

        def whole(frames):
            if not views:
                out = forward(frames)
            else:
                parts = [forward(part) for part in frames.split(views)]
                if isinstance(parts[0], torch.Tensor):
                    out = torch.cat(parts)
                else:
                    out = tuple(map(torch.cat, zip(*parts, strict=True)))
            if not neck:
                return out
            if self.backbone_from in ('mmcls', 'mmpretrain'):
                return (out,) if isinstance(out, tuple) else ((out,),)  # it takes [0]
            return (out,) if isinstance(out, torch.Tensor) else out

        try:
            # Only for this call, and only where the original fails.
            if views or neck:
                vars(backbone)[method] = whole
            if views:
                self.test_cfg = {**test_cfg, 'max_testing_views': False}
            return extract_feat(self, inputs, stage, data_samples, test_mode)
        finally:
            self.test_cfg = test_cfg
            vars(backbone).pop(method, None)
            if replaced is not None:
                vars(backbone)[method] = replaced

    replace_method(recognizer2d, name, patched)


# decord and decord2 (3.4.0) crash on a truncated AVI passed as bytes; passed its path,
# they raise an error.


def _decord_init() -> tuple[type, str]:
    from mmaction.datasets.transforms import DecordInit

    return DecordInit, '_get_video_reader'


def _read_by_path() -> None:
    decord_init, name = _decord_init()
    read = getattr(decord_init, name)

    def patched(self, filename):
        if self.io_backend != 'disk':
            return read(self, filename)
        import decord

        filename = filename if Path(filename).suffix else f'{filename}.mp4'
        return decord.VideoReader(filename, num_threads=self.num_threads)

    replace_method(decord_init, name, patched)


# TPN's head, in its first test, copies its classifier into a new layer, which a later
# validation uses again, though trained on, and which ends up in checkpoints.


def _tpn_head() -> tuple[type, str]:
    from mmaction.models.heads import TPNHead

    return TPNHead, 'forward'


def _classify_tpn_afresh() -> None:
    from torch.nn import functional

    tpn_head, name = _tpn_head()
    forward = getattr(tpn_head, name)

    def patched(self, x, num_segs=None, fcn_test=False, **kwargs):
        if not fcn_test:
            return forward(self, x, num_segs, **kwargs)
        if self.avg_pool3d:
            x = self.avg_pool3d(x)
        weight = self.fc_cls.weight[..., None, None, None]
        return functional.conv3d(x, weight, self.fc_cls.bias).flatten(1)

    replace_method(tpn_head, name, patched)


# Until MMAction2 1.1, a sample's `gt_label`, `pred_label` and `pred_score` are
# `gt_labels.item` and so on.


def _samples_of_1_1() -> bool:
    if package_file('mmaction', '__init__.py') is None:
        return False
    from mmaction.structures import ActionDataSample

    return not hasattr(ActionDataSample, 'set_gt_label')


def _name_as_in_1_2() -> None:
    from mmaction.structures import ActionDataSample

    for name in ('gt_label', 'pred_label', 'pred_score'):
        item = property(lambda sample, name=name: getattr(sample, f'{name}s').item)
        setattr(ActionDataSample, name, item)
    ActionDataSample.set_gt_label = ActionDataSample.set_gt_labels


# Heads convert the scores of a training step to numpy, which has no bf16, so training
# in bf16 ends at its first step.


def _head() -> tuple[type, str]:
    from mmaction.models.heads import BaseHead

    return BaseHead, 'loss_by_feat'


def _take_scores_in_fp32() -> None:
    import torch

    head, loss = _head()

    def patch(name: str) -> None:
        original = getattr(head, name)

        def patched(self, cls_scores, data_samples):
            if cls_scores.dtype == torch.bfloat16:
                cls_scores = cls_scores.float()
            return original(self, cls_scores, data_samples)

        replace_method(head, name, patched)

    patch(loss)
    patch('predict_by_feat')


# MMAction2's metafiles name two configs without `.py`, and MMEngine finds configs by
# metafile: `_base_ = 'mmaction::recognition/tsm/...'` fails for them.

_WITHOUT_SUFFIX = dict(
    c2d='c2d_r50-in1k-pre_8xb32-16x4x1-100e_kinetics400-rgb',
    tsm='tsm_imagenet-pretrained-r50_8xb16-1x1x8-100e_kinetics400-rgb',
)


def _metafile_names_no_file() -> bool:
    if importlib.util.find_spec('mmengine') is None:
        return False
    from mmengine.config import config

    ours = config._get_external_cfg_path.__module__.startswith('repflow_mm')
    return not ours and any(
        mentions(
            'mmaction', f'.mim/configs/recognition/{kind}/metafile.yml', f'{name}\n'
        )
        for kind, name in _WITHOUT_SUFFIX.items()
    )


def _find_configs_by_path() -> None:
    from mmengine.config import config

    by_metafile = config._get_external_cfg_path

    def patched(package_path, cfg_file):
        try:
            return by_metafile(package_path, cfg_file)
        except FileNotFoundError:
            return config._get_external_cfg_base_path(package_path, cfg_file)

    config._get_external_cfg_path = patched


FAULTS = (
    Fault(
        name='mmaction2 lacks localizers/drn',
        upstream='open-mmlab/mmaction2#2714',
        until='a wheel holds the folder',
        present=_drn_missing,
        patch=_stub_drn,
    ),
    Fault(
        name='mmaction2 imports importlib_metadata without declaring it',
        upstream=UNREPORTED,
        until='mmaction2 imports importlib.metadata',
        present=_importlib_metadata_missing,
        patch=_alias_importlib_metadata,
    ),
    Fault(
        name='ColorJitter overflows on numpy 2',
        upstream=UNREPORTED,
        until='mmaction2 computes the hue in a signed type',
        present=_hue_overflows,
        patch=_widen_hue,
    ),
    Fault(
        name='Recognizer2D splits the input of a neck; max_testing_views fails',
        upstream=UNREPORTED,
        until='it wraps a single output and reads num_segments as an attribute',
        present=is_original(_recognizer2d),
        patch=_patch_recognizer2d,
    ),
    Fault(
        name="TPN's head validates with the classifier of its first validation",
        upstream=UNREPORTED,
        until='TPNHead keeps no copy of its classifier',
        present=is_original(_tpn_head),
        patch=_classify_tpn_afresh,
    ),
    Fault(
        name='samples have other names than in MMAction2 1.2',
        upstream='fixed in mmaction2 1.2.0',
        until='MMAction2 1.1 is no longer supported',
        present=_samples_of_1_1,
        patch=_name_as_in_1_2,
    ),
    Fault(
        name='training and testing in bf16 fail in the heads',
        upstream=UNREPORTED,
        until='BaseHead converts scores that numpy cannot hold',
        present=is_original(_head),
        patch=_take_scores_in_fp32,
    ),
    Fault(
        name='DecordInit passes bytes to decord, which crashes on a truncated AVI',
        upstream=UNREPORTED,
        until='decord raises, or mmaction2 opens local files by their path',
        present=is_original(_decord_init),
        patch=_read_by_path,
    ),
    Fault(
        name="_base_ = 'mmaction::...' does not find two of its configs",
        upstream=UNREPORTED,
        until="MMAction2's metafiles name them with .py",
        present=_metafile_names_no_file,
        patch=_find_configs_by_path,
    ),
)
