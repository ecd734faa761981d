"""The authors' published checkpoint into one of ours."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from repflow_mm.engine.checkpoint import load_checkpoint
from repflow_mm.errors import one_line_errors
from repflow_mm.models.legacy_resnet import LegacyRepFlowResNet50

_NAMES = (
    (r'^stem\.', 'conv1.'),
    (r'^rep_flow\.', 'flow.'),
    (r'^res(\d)\.blocks\.', lambda m: f'layer{int(m[1]) - 1}.'),
    (r'\.shortcut\.1\.', '.shortcut.conv.'),
    (r'\.shortcut\.([23])\.', lambda m: f'.shortcut.bn{int(m[1]) - 1}.'),
    (r'\.layers\.([158])\.', lambda m: f'.conv{"158".index(m[1]) + 1}.'),
    (r'\.layers\.([269])\.', lambda m: f'.bn{"269".index(m[1]) + 1}.'),
)


def convert_authors_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' weights to those of the legacy config's recognizer.

    Args:
        weights (Mapping[str, Tensor]): Their state dict; `module.` in front is fine.

    Returns:
        dict[str, Tensor]: State dict of a `Recognizer3D` with a
        :class:`LegacyRepFlowResNet50` and an `I3DHead`.

    Raises:
        ValueError: Naming the first key that is missing, has another shape or does
            not belong.
    """
    weights = {k.removeprefix('module.'): v for k, v in weights.items()}
    head = {}
    for name, shape in (('weight', 5), ('bias', 1)):
        value = weights.pop(f'classify.{name}', None)
        if value is None:
            raise ValueError(f'classify.{name} is missing: not the authors\' model')
        if value.dim() != shape or value.shape[1:] not in ((2048, 1, 1, 1), ()):
            raise ValueError(f'classify.{name} has shape {tuple(value.shape)}')
        head[f'cls_head.fc_cls.{name}'] = value.flatten(1) if shape == 5 else value
    expected = LegacyRepFlowResNet50().state_dict()
    backbone = {}
    for key, value in weights.items():
        name = key
        for pattern, new in _NAMES:
            name = re.sub(pattern, new, name)
        if name not in expected:
            raise ValueError(f'{key} does not belong to the authors\' model')
        if value.shape != expected[name].shape:
            raise ValueError(
                f'{key} has shape {tuple(value.shape)}, expected '
                f'{tuple(expected[name].shape)}'
            )
        backbone[name] = value
    for name in expected:
        if name not in backbone and not name.endswith('num_batches_tracked'):
            raise ValueError(f'the weight for {name} is missing: not their whole model')
    return {f'backbone.{name}': value for name, value in backbone.items()} | head


@one_line_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Convert a checkpoint of the authors for `configs/legacy/`.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(description='Convert a checkpoint of the authors')
    parser.add_argument('source', type=Path, help='their checkpoint')
    parser.add_argument('target', type=Path, help='the file to write')
    args = parser.parse_args(argv)
    weights = load_checkpoint(args.source, 'cpu')
    if isinstance(weights, dict):
        weights = weights.get('state_dict', weights)
    tensors = isinstance(weights, dict) and all(
        isinstance(value, Tensor) for value in weights.values()
    )
    if not tensors or not weights:
        raise ValueError(f'{args.source} holds no state dict')
    try:
        state_dict = convert_authors_weights(weights)
    except ValueError as error:
        raise ValueError(f'{args.source}: {error}') from None
    torch.save(dict(state_dict=state_dict, meta={}), args.target)
    print(f'wrote {args.target}')
