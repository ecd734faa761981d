"""Standalone models: ONNX, torch.export and TorchScript."""

import io
import types

import pytest
import torch

from repflow_mm.layers import FlowOfFlow, RepresentationFlow, TVNet
from repflow_mm.ops.tvl1 import cpu, triton
from tests.helpers.every_layer import FORMS, form_name
from tests.helpers.paths import ROOT

CLIP = (4, 32, 32)
HEAD = "dict(type='I3DHead', num_classes=5, in_channels=64, average_clips='prob')"
CONFIG = f"""
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='RepFlowResNet', depth=18, pretrained=None, num_stages=1, strides=(1,),
        dilations=(1,), out_indices=(0,), after='block2',
        flow=dict(flow_channels=4, n_iters=2),
    ),
    cls_head={HEAD},
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, to_rgb=True,
        format_shape='NCTHW',
    ),
)
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=3),
    dict(type='Resize', scale=(-1, 40)),
    dict(type='ThreeCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
]))
"""


@pytest.fixture
def config(plugin, tmp_path):
    path = tmp_path / 'small.py'
    path.write_text(CONFIG)
    return path


def built(cfg):
    from mmaction.registry import MODELS

    model = MODELS.build(cfg).eval()
    for name, statistic in model.named_buffers():
        if name.endswith('running_mean'):
            statistic.normal_(0, 0.1)
    return model


@pytest.mark.slow
def test_the_exported_file_gives_the_scores_of_the_models_own_test(
    config, tmp_path, capsys
):
    import onnxruntime
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config

    from repflow_mm.commands.export_onnx import main

    model = built(Config.fromfile(config).model)
    checkpoint, out = tmp_path / 'model.pth', tmp_path / 'model.onnx'
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    main([*map(str, (config, checkpoint, out)), '--repeats=1'])
    printed = capsys.readouterr().out
    assert 'uint8 (batch, 3, 4, 32, 32)' in printed and 'PyTorch: ' in printed
    assert {*tmp_path.iterdir()} == {config, checkpoint, out}

    assert b'deployable.py' not in out.read_bytes()  # nothing of the machine

    clips = torch.randint(256, (5, 3, *CLIP), dtype=torch.uint8)
    session = onnxruntime.InferenceSession(out)
    (logits,) = session.run(None, {'frames': clips.numpy()})
    samples = [ActionDataSample() for _ in clips]
    with torch.no_grad():
        tested = model.test_step(dict(inputs=[*clips[:, None]], data_samples=samples))
    torch.testing.assert_close(
        torch.from_numpy(logits).softmax(1),
        torch.stack([sample.pred_score for sample in tested]),
    )


def test_a_file_with_different_outputs_is_not_written(config, tmp_path, monkeypatch):
    from mmengine.config import Config

    from repflow_mm.export import onnx

    model = built(Config.fromfile(config).model)
    out = tmp_path / 'model.onnx'
    with pytest.raises(ValueError, match=r'clips of 1x32x32 .* sample at least 2'):
        onnx.export_onnx(model, (1, 32, 32), out)
    file = types.SimpleNamespace(save=lambda path, **_: path.write_bytes(b'wrong'))
    monkeypatch.setattr(onnx, '_translate', lambda _: file)
    monkeypatch.setattr(onnx, 'session', lambda _: lambda clips: torch.zeros(()) / 0)
    with pytest.raises(ValueError, match='not written'):
        onnx.export_onnx(model, CLIP, out)
    monkeypatch.setattr(onnx, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match='^exporting needs onnxscript and onnxruntime'):
        onnx.export_onnx(model, CLIP, out)
    assert list(tmp_path.iterdir()) == [config]


STAGE = dict(depth=18, pretrained=None, num_stages=1, dilations=(1,), out_indices=(0,))
OWN = dict(
    STAGE,
    pretrained2d=False,
    spatial_strides=(1,),
    temporal_strides=(1,),
    after='block2',
    flow=dict(flow_channels=4, n_iters=2),
)
BACKBONES = {
    'RepFlowResNet3d': dict(OWN, type='RepFlowResNet3d'),
    'RepFlowResNet2Plus1d': dict(
        OWN, type='RepFlowResNet2Plus1d', conv_cfg=dict(type='Conv2plus1d')
    ),
    'FlowAugmented': dict(
        type='FlowAugmented',
        backbone=dict(STAGE, type='ResNet', strides=(1,)),
        after='layer1',
        num_segments=4,
        flow=dict(flow_channels=4, n_iters=2, zero_init_residual=False),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', ['RepFlowResNet3d', 'RepFlowResNet2Plus1d', 'FlowAugmented']
)
def test_every_kind_of_backbone(plugin, tmp_path, name):
    from repflow_mm.export.onnx import export_onnx

    per_frame = name == 'FlowAugmented'
    head = dict(num_classes=5, in_channels=64, average_clips='prob')
    model = built(
        dict(
            type='Recognizer2D' if per_frame else 'Recognizer3D',
            backbone=BACKBONES[name],
            cls_head=dict(head, type='TSNHead' if per_frame else 'I3DHead'),
            data_preprocessor=dict(
                type='ActionDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3
            ),
        )
    )
    exported = export_onnx(model, CLIP, tmp_path / 'model.onnx')
    assert exported.error < 1e-4 and exported.path.stat().st_size > 4 * 1e4


# The other forms of FcF and NonLocal are made of the same operators.
EXPORTED = [f for f in FORMS if not {'between', 'sub_sample'} & f.keys()]


@pytest.mark.slow
@pytest.mark.parametrize('form', EXPORTED, ids=form_name)
def test_every_layer(plugin, tmp_path, form):
    from repflow_mm.export.onnx import export_onnx

    flow = dict(form, zero_init_residual=False)
    head = dict(type='I3DHead', num_classes=5, in_channels=64, average_clips='prob')
    preprocessor = dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3)
    backbone = dict(
        STAGE, type='RepFlowResNet', strides=(1,), after='block2', flow=flow
    )
    cfg = dict(type='Recognizer3D', backbone=backbone, cls_head=head)
    model = built(cfg | dict(data_preprocessor=preprocessor))
    exported = export_onnx(model, (4, 36, 28), tmp_path / 'model.onnx')
    assert exported.error < 1e-4


def test_what_is_no_row_of_logits_per_clip(plugin, tmp_path):
    from repflow_mm.export.onnx import export_onnx

    head = dict(num_classes=5, in_channels=512, average_clips='prob')
    preprocessor = dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3)
    backbone = dict(type='ResNetTSM', depth=18, num_segments=4)
    head |= dict(type='TSMHead', num_segments=4)
    cfg = dict(type='Recognizer2D', backbone=backbone, cls_head=head)
    cfg |= dict(data_preprocessor=preprocessor)
    model, path = built(cfg), tmp_path / 'model.onnx'
    with pytest.raises(ValueError, match='1 clips of 8 frames give 2 rows of logits'):
        export_onnx(model, (8, *CLIP[1:]), path)
    with pytest.raises(ValueError, match=r'in bfloat16: call model.float\(\) first'):
        export_onnx(model.bfloat16(), CLIP, path)
    assert not path.exists()


# Recording runs the layer once as it is, to compare.
BUILT = pytest.mark.skipif(bool(cpu.reason()), reason=cpu.reason())
TRITON = pytest.mark.skipif(bool(triton.reason()), reason=triton.reason())
STRICT = pytest.mark.skipif(
    not hasattr(torch.compiler, '_is_exporting_flag'),
    reason='strict torch.export of PyTorch 2.6 does not say that it exports',
)


@pytest.mark.parametrize(
    ('layer', 'backend', 'strict'),
    [
        (RepresentationFlow, 'auto', False),
        pytest.param(RepresentationFlow, 'cpu', True, marks=[BUILT, STRICT]),
        pytest.param(RepresentationFlow, 'triton', False, marks=TRITON),
        pytest.param(FlowOfFlow, 'cpu', False, marks=BUILT),
    ],
)
def test_a_recorded_program_is_plain_pytorch(layer, backend, strict):
    options = dict(flow_channels=4, n_iters=2)
    plain = layer(3, backend='reference', **options).eval()
    layer = layer(3, backend=backend, **options).eval()
    layer.load_state_dict(plain.state_dict())
    two, three = torch.rand(2, 3, 4, 9, 7), torch.rand(3, 3, 4, 9, 7)
    batch = torch.export.Dim('batch', min=1, max=2**31)
    program = torch.export.export(
        layer, (two,), dynamic_shapes=({0: batch},), strict=strict
    )
    file = io.BytesIO()
    with pytest.warns(torch.jit.TracerWarning):  # its checks of shapes are not in it
        torch.jit.save(torch.jit.trace(layer, two), file)
    file.seek(0)
    traced = torch.jit.load(file)
    for graph in (program.graph, traced.inlined_graph):  # run without this package
        assert 'mul' in str(graph) and 'tvl1(' not in str(graph)
        assert 'repflow_mm.tvl1' not in str(graph)
    for recorded in (program.module(), traced):
        for clips in (three, three[:1]):
            torch.testing.assert_close(recorded(clips), plain(clips))


def test_a_recorded_program_of_unrolled_scales_is_a_file(plugin):
    layer, clips = (
        TVNet(3, flow_channels=4, n_iters=2).eval(),
        torch.rand(2, 3, 4, 9, 7),
    )
    program, file = torch.export.export(layer, (clips,), strict=False), io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    torch.testing.assert_close(torch.export.load(file).module()(clips), layer(clips))


def test_the_clip_is_the_test_pipelines(plugin):
    from mmengine.config import Config

    from repflow_mm.export.deployable import clip_shape

    cfg = Config.fromfile(ROOT / 'configs' / 'repflow_r50_block3_kinetics400.py')
    assert clip_shape(cfg) == (32, 256, 256)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[-3:-1] = [
        dict(type='Resize', scale=(96, 64), keep_ratio=False),
        dict(type='FormatShape', input_format='NCHW'),
    ]
    assert clip_shape(cfg) == (32, 64, 96)  # a view of several
    del pipeline[-3]
    with pytest.raises(ValueError, match='give --frames and --size'):
        clip_shape(cfg)
