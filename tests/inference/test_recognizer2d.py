"""The tools with MMAction2's Recognizer2D, with a neck and with a spliced backbone."""

import json

import numpy as np
import pytest
import torch

FRAMES, CLASSES = 4, 3
RESNET = dict(
    type='ResNet', pretrained=None, depth=18, out_indices=(2, 3), norm_eval=False
)
HEAD = dict(num_classes=CLASSES, in_channels=512, average_clips='prob')
NECK = dict(
    type='RepFlow',
    in_channels=512,
    flow_channels=4,
    n_iters=3,
    fusion='add',
    temporal='same',
    num_segments=FRAMES,
)
MODELS = {
    'tsn': dict(backbone=RESNET, neck=NECK, cls_head=dict(type='TSNHead', **HEAD)),
    'tsn, all crops in one row': dict(
        backbone=RESNET,
        neck=NECK | dict(num_segments=None),
        cls_head=dict(type='TSNHead', **HEAD),
    ),
    'tsn, flow of flow': dict(
        backbone=RESNET,
        neck=NECK | dict(type='FcF'),
        cls_head=dict(type='TSNHead', **HEAD),
    ),
    'tsm': dict(
        backbone=RESNET | dict(type='ResNetTSM', num_segments=FRAMES, shift_div=8),
        neck=NECK | dict(keep_frames=True),
        cls_head=dict(type='TSMHead', num_segments=FRAMES, is_shift=True, **HEAD),
    ),
    'splice': dict(
        backbone=dict(
            type='FlowAugmented',
            backbone=RESNET | dict(out_indices=(3,)),
            after='layer2',
            num_segments=FRAMES,
            flow=dict(flow_channels=4, n_iters=3, fusion='add', temporal='same'),
        ),
        cls_head=dict(type='TSNHead', **HEAD),
    ),
}
PIPELINE = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=1, num_clips=FRAMES, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(96, 64), keep_ratio=False),
    dict(type='ThreeCrop', crop_size=64),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]


@pytest.fixture(scope='module')
def save(plugin, tmp_path_factory):
    """Writes the config and the weights of one of the models."""
    from mmengine.config import Config
    from mmengine.registry import MODELS as REGISTRY

    def save(name):
        preprocessor = dict(
            type='ActionDataPreprocessor',
            mean=[128] * 3,
            std=[50] * 3,
            format_shape='NCHW',
        )
        model = dict(
            type='Recognizer2D', data_preprocessor=preprocessor, **MODELS[name]
        )
        folder = tmp_path_factory.mktemp('network')
        cfg = Config(dict(model=model, test_pipeline=PIPELINE))
        cfg.default_scope = 'mmaction'
        cfg.dump(folder / 'config.py')
        torch.manual_seed(0)
        state = REGISTRY.build(cfg.model).state_dict()
        torch.save(dict(state_dict=state, meta={}), folder / 'weights.pth')
        return str(folder / 'config.py'), str(folder / 'weights.pth')

    return save


@pytest.fixture(scope='module')
def video(motion_set):
    return str(next(motion_set.glob('videos_val/rotate_clockwise/*.mp4')))


def test_every_tool(save, video, tmp_path):
    from repflow_mm.commands import demo, extract_features, grad_cam, visualize_flow

    config, checkpoint = save('tsn')
    network = ['--config', config, '--checkpoint', checkpoint, '--device', 'cpu']
    out = ['--out', str(tmp_path)]
    demo.main([video, *network, *out])
    (answer,) = json.loads((tmp_path / 'predictions.json').read_text())
    assert sum(answer['scores']) == pytest.approx(1, abs=1e-4)
    visualize_flow.main([video, *network, *out, '--html', '--columns', '2'])
    grad_cam.main([video, *network, *out, '--columns', '2'])
    extract_features.main([video, *network, *out])
    names = {path.suffix for path in tmp_path.iterdir()}
    assert names == {'.mp4', '.gif', '.json', '.png', '.html', '.npz'}


@pytest.mark.parametrize('name', MODELS)
def test_flow_grad_cam_and_features(save, video, name):
    from mmengine.config import Config

    from repflow_mm.inference.grad_cam import grad_cam
    from repflow_mm.inference.load import load
    from repflow_mm.inference.windows import WindowedVideo

    config, checkpoint = save(name)
    recognizer = load(config, checkpoint, 'cpu')
    windows = recognizer.open(video)
    (clip,) = recognizer.look(windows)
    layer = clip.first_flow()
    flow = clip.flow(layer)
    assert clip.frames.shape == (FRAMES, 64, 64, 3)
    assert flow.shape[:2] == (FRAMES, 4) and np.abs(flow).max() > 0

    (window,) = windows
    heats, _ = grad_cam(recognizer.model, window, [layer, 'backbone'])
    assert all(heat.shape == (FRAMES, 64, 64) for heat in heats.values())
    assert heats['backbone'].max() == 1
    assert recognizer.features(video)['clip'].shape == (1, 512)

    # The displayed crop has the same flow alone as among three.
    cfg = Config.fromfile(config)
    cfg.test_pipeline[4] = dict(type='CenterCrop', crop_size=64)
    (alone,) = recognizer.look(WindowedVideo(video, cfg))
    np.testing.assert_array_equal(alone.frames, clip.frames)
    if 'one row' not in name:  # where the flow is normalised over all crops
        np.testing.assert_allclose(alone.flow(layer), flow, atol=1e-4)
