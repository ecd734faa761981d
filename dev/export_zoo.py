"""Export every CNN recognizer with a motion layer: `python -m dev.export_zoo`.

Prints a table of `docs/export.md`. Clips are small, iterations few and weights random;
the flow layer's last batch norm is not zero-initialised, which would hide the flow.
Failed exports are repeated without flow.
"""

import sys
import tempfile
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

import repflow_mm.plugin  # noqa: F401  patches and registers
from repflow_mm.benchmark.complexity import FAMILIES
from repflow_mm.export.deployable import Deployable
from repflow_mm.export.onnx import export_onnx, relative_error
from tests.helpers.recognizers import NO_NECK, ZOO, config_of, spliced, with_neck
from tests.helpers.steps import ops_without_shift

FLOW = dict(flow_channels=4, n_iters=2, zero_init_residual=False)
HEAD = dict(type='I3DHead', num_classes=10, average_clips='prob')
FRAMES = dict(
    type='ActionDataPreprocessor',
    mean=[120.0] * 3,
    std=[58.0] * 3,
    format_shape='NCTHW',
)


def own(backbone: dict, channels: int) -> dict:
    """A recognizer around one of our backbones."""
    return dict(
        type='Recognizer3D',
        backbone=dict(backbone, pretrained=None),
        cls_head=dict(HEAD, in_channels=channels),
        data_preprocessor=FRAMES,
    )


def candidates():
    """Yield name, config, config without flow, and clip size."""
    for cfg in FAMILIES.values():
        for depth, channels, kind in ((18, 512, 'RepFlow'), (50, 2048, 'FcF')):
            flow = dict(FLOW, type=kind)
            model, plain = (
                own(dict(cfg, depth=depth, flow=f), channels) for f in (flow, None)
            )
            yield f'{cfg["type"]}-{depth}, {kind}', model, plain, (8, 64, 64)
    rgb, flow = (
        own(dict(FAMILIES['2D ResNet'], depth=18, flow=f), 512) for f in (None, FLOW)
    )
    late = dict(type='LateFusion', streams=[rgb, flow], data_preprocessor=FRAMES)
    yield 'LateFusion', late, rgb, (8, 64, 64)
    legacy = dict(type='LegacyRepFlowResNet50', n_iters=2)
    legacy = own(legacy, 2048)
    del legacy['backbone']['pretrained']
    yield 'LegacyRepFlowResNet50', legacy, rgb, (16, 64, 64)
    for name, (_, after, shape, _) in ZOO.items():
        frames = shape[0] if len(shape) == 4 else shape[2]
        try:
            model, plain = spliced(name), config_of(name)
        except pytest.skip.Exception:  # MobileOne, without mmpretrain
            continue
        model.backbone.flow = FLOW
        yield f'{name}, `{after}`', model, plain, (frames, *shape[-2:])
        if name in NO_NECK:
            continue
        model, shape = with_neck(config_of(name), shape)
        model.neck.update(FLOW)
        frames = shape[0] if len(shape) == 4 else shape[2]
        yield f'{name}, neck', model, plain, (frames, *shape[-2:])


def attempt(cfg: dict, clip: tuple[int, int, int], path: Path) -> str:
    """Export a model; returns the cells of its row after the name."""
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    for name, statistic in model.named_buffers():
        if name.endswith('running_mean'):
            statistic.normal_(0, 0.1)
    exported = export_onnx(model, clip, path)
    deployable, frames = Deployable(model), torch.randint(256, (3, 3, *clip))
    try:
        with torch.no_grad():
            traced = torch.jit.trace(deployable, frames[:2], check_trace=False)
            traced_error = relative_error(traced(frames), deployable(frames))
    except RuntimeError as error:
        traced_error = str(error).splitlines()[0]
    else:
        traced_error = f'{traced_error:.0e}'
    return f'{exported.nodes} | {exported.error:.0e} | {traced_error}'


def main() -> None:
    """Print the table."""
    init_default_scope('mmaction')
    sys.modules['mmcv.ops'] = ops_without_shift()
    wanted = sys.argv[1:]
    print('| recognizer | nodes | ONNX, error | TorchScript, error |')
    print('|---|---|---|---|')
    with tempfile.TemporaryDirectory() as folder:
        for name, cfg, plain, clip in candidates():
            if wanted and not any(word in name for word in wanted):
                continue
            path = Path(folder) / 'model.onnx'
            try:
                cells = attempt(cfg, clip, path)
            except ValueError as error:
                try:
                    without = f'without flow: {attempt(plain, clip, path)}'
                except ValueError:
                    without = 'nor without flow'
                cells = f'- | - | - | {error} ({without})'
            print(f'| {name} | {cells} |', flush=True)


if __name__ == '__main__':
    main()
