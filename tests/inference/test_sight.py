import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from tests.helpers.paths import MOTION_CONFIG


@pytest.fixture(scope='module')
def seen(model, long_video):
    from repflow_mm.inference.sight import look
    from repflow_mm.inference.windows import WindowedVideo

    return list(look(model, WindowedVideo(long_video, model.cfg)))


def test_one_window_is_what_mmaction2_makes_of_the_video(model, motion_set):
    from mmaction.apis import inference_recognizer

    from repflow_mm.inference.sight import look
    from repflow_mm.inference.windows import WindowedVideo

    path = next(motion_set.glob('videos_val/move_left/*.mp4'))  # 8 frames
    (window,) = look(model, WindowedVideo(path, model.cfg))
    theirs = inference_recognizer(model, str(path)).pred_score.numpy()
    np.testing.assert_array_equal(window.scores, theirs)


def test_frames_are_those_of_the_video(seen, long_video):
    from repflow_mm.video import VideoProcess

    process = VideoProcess('decord')
    process.open(str(long_video))
    for window in seen:
        frames = process.frames(window.indices)[:, 4:60, 4:60]
        np.testing.assert_array_equal(window.frames, frames)
        assert window.scores.sum() == pytest.approx(1, abs=1e-5)
    process.close()


def test_flow_is_the_layers(model, seen):
    layer, flow = model.backbone.flow, seen[1].flows['backbone.flow']
    u_x, u_y = layer.flow(flow.features)
    found = flow.flow()
    assert found.shape == (8, 32, 14, 14, 2) and found.dtype == np.float32
    np.testing.assert_array_equal(found[2, 5, ..., 0], u_x[0, 5, 2].detach())
    np.testing.assert_array_equal(found[2, 5, ..., 1], u_y[0, 5, 2].detach())
    np.testing.assert_array_equal(found[7], found[6])
    # Stopped early it is another; after all iterations it is the layer's.
    np.testing.assert_array_equal(flow.flow(layer.solver.n_iters), found)
    assert np.abs(flow.flow(1) - found).max() > 0.01


def test_of_three_crops_the_middle_one(model, long_video):
    from repflow_mm.inference.sight import look
    from repflow_mm.inference.windows import WindowedVideo

    cfg = Config.fromfile(MOTION_CONFIG)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[3] = dict(type='ThreeCrop', crop_size=48)
    pipeline.insert(3, dict(type='Resize', scale=(80, 48), keep_ratio=False))
    video = WindowedVideo(long_video, cfg)
    video.indices = video.indices[:1]
    (window,) = look(model, video)
    packed = next(iter(video))
    assert packed['inputs'].shape == (3, 3, 8, 48, 48)
    middle = packed['inputs'][2].permute(1, 2, 3, 0).numpy()
    np.testing.assert_array_equal(window.frames, middle)
    assert window.flows['backbone.flow'].features.shape[0] == 1
    with torch.no_grad():
        data = model.data_preprocessor(pseudo_collate([packed]), False)
        stem = model.backbone.conv1(data['inputs'][0, 2].transpose(0, 1))
        layer1 = model.backbone.layer1(model.backbone.maxpool(stem))
    torch.testing.assert_close(
        window.flows['backbone.flow'].features[0].transpose(0, 1), layer1
    )


@pytest.mark.parametrize(
    ('frames', 'features', 'shown', 'stride'),
    [
        (5, 5, [0, 1, 2, 3, 3], 1),
        (5, 4, [0, 1, 2, 2, 2], 1),  # behind another flow
        (8, 4, [0, 0, 1, 1, 2, 2, 2, 2], 2),  # behind a temporal stride
    ],
)
def test_which_flow_belongs_to_a_frame(plugin, frames, features, shown, stride):
    from repflow_mm.inference.sight import SeenFlow
    from repflow_mm.layers import RepresentationFlow

    layer, x = RepresentationFlow(2, 3), torch.rand(1, 2, features, 6, 6)
    found = SeenFlow(layer, x, frames).flow()
    u_x, _ = layer.flow(x)
    expected = u_x[0].transpose(0, 1).detach()[shown] / stride
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-6)
