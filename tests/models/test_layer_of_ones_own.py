"""A custom ten-line layer in MMAction2: built, trained, logged, checked, exported."""

import pytest
import torch
from mmengine.runner import Runner

from repflow_mm.compat.fault import parse_version
from tests.helpers.frame_difference import FrameDifference

FLOW = dict(type='FrameDifference', flow_channels=4, kernel=1)
SMALL = dict(depth=18, pretrained=None, num_stages=1, strides=(1,), dilations=(1,))
SMALL |= dict(out_indices=(0,))
HEAD = dict(type='I3DHead', num_classes=5, in_channels=64, average_clips='prob')
PREPROCESSOR = dict(
    type='ActionDataPreprocessor',
    mean=[120.0] * 3,
    std=[60.0] * 3,
    format_shape='NCTHW',
)
MODEL = dict(
    type='Recognizer3D',
    backbone=dict(type='RepFlowResNet', after='block2', flow=FLOW, **SMALL),
    cls_head=HEAD,
    data_preprocessor=PREPROCESSOR,
)
NECK = dict(
    MODEL,
    backbone=dict(type='RepFlowResNet', after='block2', flow=None, **SMALL),
    neck=dict(FLOW, in_channels=64),
)
AUGMENTED = dict(
    type='Recognizer2D',
    backbone=dict(
        type='FlowAugmented',
        backbone=dict(type='ResNet', **SMALL),
        after='layer1',
        flow=FLOW,
        num_segments=4,
    ),
    cls_head=dict(HEAD, type='TSNHead'),
    data_preprocessor=dict(PREPROCESSOR, format_shape='NCHW'),
)


def runner(model: dict, work_dir, **options) -> Runner:
    from mmaction.structures import ActionDataSample

    shape = (4, 3, 32, 32) if model['type'] == 'Recognizer2D' else (1, 3, 4, 32, 32)
    clips = torch.randint(0, 256, (4, *shape), dtype=torch.uint8)
    return Runner(
        model,
        str(work_dir),
        train_dataloader=dict(
            dataset=[
                dict(inputs=clip, data_samples=ActionDataSample().set_gt_label(n))
                for n, clip in enumerate(clips)
            ],
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
            batch_size=2,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=0.1, weight_decay=1e-4),
            constructor='TSMOptimWrapperConstructor',
            paramwise_cfg=dict(fc_lr5=True),
        ),
        custom_hooks=[
            dict(type='FlowLogHook', interval=1, picture_interval=1),
            dict(type='CheckWeightsHook'),
        ],
        default_scope='mmaction',
        experiment_name=str(work_dir),
        **options,
    )


def the_layer(model) -> FrameDifference:
    (layer,) = (m for m in model.modules() if isinstance(m, FrameDifference))
    return layer


@pytest.mark.parametrize('model', [MODEL, NECK, AUGMENTED], ids=['stage', 'neck', '2D'])
def test_trained_logged_and_checked(plugin, tmp_path, model):
    first = runner(model, tmp_path / 'a')
    layer = the_layer(first.model)
    before = [p.detach().clone() for p in layer.parameters()]
    first.train()
    for old, new in zip(before, layer.parameters(), strict=True):
        assert new.isfinite().all() and not torch.equal(old, new)
    (log,) = (tmp_path / 'a').glob('*/*.log')
    assert log.read_text().count('FlowLogHook: ') == 1  # there is no flow, said once

    checkpoint = tmp_path / 'a' / 'epoch_1.pth'
    again = runner(model, tmp_path / 'b', load_from=str(checkpoint), resume=True)
    again.load_or_resume()
    kept = the_layer(again.model).state_dict()
    for key, value in layer.state_dict().items():
        assert torch.equal(kept[key], value), key

    saved = torch.load(checkpoint, weights_only=False)
    wrong = next(k for k in saved['state_dict'] if k.endswith('smooth.weight'))
    del saved['state_dict'][wrong]
    torch.save(saved, checkpoint)
    again = runner(model, tmp_path / 'c', load_from=str(checkpoint), resume=True)
    with pytest.raises(ValueError, match='1 weights of the model are missing'):
        again.load_or_resume()
    # Fine-tuning does not need the layer's weights.
    runner(model, tmp_path / 'd', load_from=str(checkpoint)).train()


@pytest.mark.skipif(
    parse_version(torch.__version__) < (2, 7),
    reason='torch.onnx of PyTorch 2.6 cannot translate batch norm',
)
def test_exported(plugin, tmp_path):
    pytest.importorskip('onnxruntime')
    from mmaction.registry import MODELS

    from repflow_mm.export.onnx import export_onnx

    exported = export_onnx(
        MODELS.build(MODEL).eval(), (4, 32, 32), tmp_path / 'model.onnx'
    )
    assert exported.error < 1e-4 and exported.path.is_file()
