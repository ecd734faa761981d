"""MMAction2's configs with a motion layer, trained with their own optimizers."""

from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

CONFIGS = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
FLOW = dict(flow_channels=4, n_iters=2, fusion='add', temporal='same')
FLOW |= dict(zero_init_residual=False)


@pytest.mark.parametrize('way', ['neck', 'splice'])
@pytest.mark.parametrize(
    'name',
    [
        'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb',
        'tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb',
        'trn/trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv1-rgb',
    ],
)
def test_two_lines_train(plugin, name, way):
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample

    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.backbone.update(depth=18, pretrained=None)
    cfg.model.cls_head.in_channels = 512
    if way == 'neck':
        cfg.model.neck = dict(type='RepFlow', in_channels=512, **FLOW)
    else:
        cfg.model.backbone = dict(
            type='FlowAugmented',
            backbone=cfg.model.backbone,
            after='layer2',
            flow=FLOW,
            num_segments=8,
        )
    model = MODELS.build(cfg.model)
    layer = model.neck if way == 'neck' else model.backbone.flow
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    solver = {p for p in layer.solver.parameters()}
    base = cfg.optim_wrapper.optimizer.lr
    for group in optimizer.param_groups:
        if solver & set(group['params']):
            assert solver >= set(group['params'])
            assert group['lr'] == pytest.approx(base / 100)
            assert group['weight_decay'] == 0
    samples = [ActionDataSample().set_gt_label(n) for n in range(2)]
    clips = torch.randint(0, 255, (2, 8, 3, 64, 64)).float()
    losses = model.train_step(dict(inputs=list(clips), data_samples=samples), optimizer)
    assert torch.isfinite(losses['loss'])
    for parameter in layer.parameters():
        # A step at a hundredth of the rate may be lost in rounding, unlike momentum.
        assert optimizer.optimizer.state[parameter]['momentum_buffer'].any()
