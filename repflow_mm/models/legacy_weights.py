"""Conversion of the authors' published checkpoint."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from repflow_mm.errors import InputError
from repflow_mm.models.legacy_resnet import LegacyRepFlowResNet50

# Substitutions from our names to theirs, in order.
_THEIRS = (
    (r'^conv1\.', 'stem.'),
    (r'^flow\.', 'rep_flow.'),
    (r'^layer(\d)\.', lambda m: f'res{int(m[1]) + 1}.blocks.'),
    (r'\.shortcut\.conv\.', '.shortcut.1.'),
    (r'\.shortcut\.bn(\d)\.', lambda m: f'.shortcut.{int(m[1]) + 1}.'),
    (r'\.conv(\d)\.', lambda m: f'.layers.{"158"[int(m[1]) - 1]}.'),
    (r'\.bn(\d)\.', lambda m: f'.layers.{"269"[int(m[1]) - 1]}.'),
)


def convert_authors_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' weights to those of the legacy config's recognizer.

    Args:
        weights (Mapping[str, Tensor]): Their state dict, with or without `module.`
            prefixes.

    Returns:
        dict[str, Tensor]: State dict of a `Recognizer3D` with a
        :class:`LegacyRepFlowResNet50` and an `I3DHead`.

    Raises:
        InputError: If a key is missing, has the wrong shape or is unexpected.
    """
    weights = {k.removeprefix('module.'): v for k, v in weights.items()}
    classes = weights.get('classify.bias', torch.empty(0)).numel()
    expected = {
        'classify.weight': (classes, 2048, 1, 1, 1),
        'classify.bias': (classes,),
    }
    names = {
        'classify.weight': 'cls_head.fc_cls.weight',
        'classify.bias': 'cls_head.fc_cls.bias',
    }
    for name, value in LegacyRepFlowResNet50().state_dict().items():
        theirs = name
        for pattern, new in _THEIRS:
            theirs = re.sub(pattern, new, theirs)
        names[theirs] = f'backbone.{name}'
        expected[theirs] = tuple(value.shape)
    for key, shape in expected.items():
        if key.endswith('num_batches_tracked'):
            weights.setdefault(key, torch.tensor(0))  # absent in older PyTorch
        if key not in weights:
            raise InputError(f"{key} is missing: this is not the authors' full model")
        if tuple(weights[key].shape) != shape:
            raise InputError(
                f'{key} has shape {tuple(weights[key].shape)}, expected {shape}'
            )
    for key in weights:
        if key not in expected:
            raise InputError(f"{key} is not part of the authors' model")
    renamed = {names[key]: value for key, value in weights.items()}
    renamed['cls_head.fc_cls.weight'] = renamed['cls_head.fc_cls.weight'].flatten(1)
    return renamed
